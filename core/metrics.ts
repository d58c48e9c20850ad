import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** The values that a label may have, or an empty list where they are bounded elsewhere (routes, names of duties). */
type LabelValues = readonly string[];
/** What memory is held for (core/limits/memory.ts). */
export const memoryKindNames = ['bodies', 'windows', 'pages', 'replies', 'deliveries'] as const;
type Metric = {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels?: Readonly<Record<string, LabelValues>>;
  buckets?: readonly number[];
  /** How the values of several processes become one, where it is not by their sum. */
  together?: 'max' | 'first';
};

/** Seconds, from what a person does not notice to the longest that a request may take. */
const requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Seconds, from a small export to one that runs for a day. */
const exportSeconds = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400];

/**
 * Every metric there is. docs/operate.md and its test are held to this list. No label holds a tenant, an id or a raw path:
 * the number of series must not grow with use.
 *
 * Gauges that are `read from the database` show the whole deployment, so every process says the same: take the max of them,
 * not the sum. They are absent while the database is away. All else is what this process has seen.
 */
export const metricList = {
  logferry_build_info: {
    type: 'gauge',
    together: 'max',
    help: 'Always 1; the label tells the version',
    labels: { version: [] },
  },
  logferry_database_up: {
    type: 'gauge',
    together: 'first',
    help: '1 if the database answered this scrape within 2 seconds, else 0',
  },
  logferry_exports: {
    type: 'gauge',
    together: 'max',
    help: 'Unfinished exports, up to 100000 of each status, read from the database',
    labels: { status: ['queued', 'running'] },
  },
  logferry_exports_due: {
    type: 'gauge',
    together: 'max',
    help: 'Queued exports that wait for a worker and nothing else, up to 100000, read from the database',
  },
  logferry_exports_oldest_due_seconds: {
    type: 'gauge',
    together: 'max',
    help: 'How long the first of them has been waiting, 0 if there is none, read from the database',
  },
  logferry_exports_silent: {
    type: 'gauge',
    together: 'max',
    help: 'Running exports whose worker has been silent for longer than its lease, read from the database',
  },
  logferry_deliveries_pending: {
    type: 'gauge',
    together: 'max',
    help: 'Webhook deliveries that have not ended, up to 100000, read from the database',
  },
  logferry_deliveries_oldest_due_seconds: {
    type: 'gauge',
    together: 'max',
    help: 'How long the delivery that was due first has been waiting for its attempt, 0 if none is due, read from the database',
  },
  logferry_stored_bytes: {
    type: 'gauge',
    together: 'max',
    help: 'Bytes of files not yet deleted and of what running exports have written or reserved, read from the database',
  },
  logferry_store_limit_bytes: { type: 'gauge', together: 'max', help: 'LOGFERRY_STORE_LIMIT; absent without one' },
  logferry_log_sealed_behind_events: {
    type: 'gauge',
    together: 'max',
    help: 'Events that fill tiles of their logs and are not sealed yet, of all tenants, read from the database',
  },
  logferry_exports_created_total: { type: 'counter', help: 'Exports that were queued by this API' },
  logferry_exports_ended_total: {
    type: 'counter',
    help: 'Exports that this process ended; expired ones had been completed before',
    labels: { outcome: ['completed', 'failed', 'canceled', 'expired'] },
  },
  logferry_export_wait_seconds: {
    type: 'histogram',
    help: 'From the creation of an export to its first run',
    buckets: exportSeconds,
  },
  logferry_export_run_seconds: { type: 'histogram', help: 'Length of one run of an export', buckets: exportSeconds },
  logferry_export_seconds: {
    type: 'histogram',
    help: 'From the creation of an export to its completion',
    buckets: exportSeconds,
  },
  logferry_export_runs_running: { type: 'gauge', help: 'Runs of exports under way in this worker' },
  logferry_export_runs_total: {
    type: 'counter',
    help: 'Runs of exports by how they ended; all but completed, failed and canceled leave the export to a later run',
    labels: {
      outcome: ['completed', 'failed', 'canceled', 'retried', 'lease_lost', 'handed_back', 'gave_way'],
    },
  },
  logferry_exported_rows_total: { type: 'counter', help: 'Rows written into stored parts' },
  logferry_exported_bytes_total: { type: 'counter', help: 'Bytes of stored parts' },
  logferry_parts_total: {
    type: 'counter',
    help: 'Attempts to store a part; one that failed is repeated by a later run',
    labels: { outcome: ['stored', 'failed'] },
  },
  logferry_deliveries_ended_total: {
    type: 'counter',
    help: 'Webhook deliveries that ended with an attempt; failed ones had none left',
    labels: { outcome: ['delivered', 'failed'] },
  },
  logferry_delivery_attempts_total: {
    type: 'counter',
    help: 'Attempts to deliver a webhook, by what came of each',
    labels: { result: ['delivered', 'refused', 'unreachable'] },
  },
  logferry_delivery_attempt_seconds: {
    type: 'histogram',
    help: 'Length of one attempt to deliver a webhook',
    buckets: requestSeconds,
  },
  logferry_sweep_duties_total: {
    type: 'counter',
    help: 'Duties of the sweep, by name and outcome',
    labels: { duty: [], outcome: ['ok', 'failed'] },
  },
  logferry_sweep_last_success_timestamp_seconds: {
    type: 'gauge',
    together: 'max',
    help: 'When this worker last did the duty without a failure, in Unix time',
    labels: { duty: [] },
  },
  logferry_tenants_deleting: {
    type: 'gauge',
    help: 'Tenants that are being deleted, read from the database',
  },
  logferry_events_removed_total: {
    type: 'counter',
    help: 'Events that this worker removed: their retention was over, or their tenant was deleted',
    labels: { reason: ['retention', 'deletion'] },
  },
  logferry_erasures: {
    type: 'gauge',
    together: 'max',
    help: 'Unfinished erasures, read from the database',
    labels: { status: ['queued', 'running'] },
  },
  logferry_erasures_ended_total: {
    type: 'counter',
    help: 'Erasures that this worker ended',
    labels: { outcome: ['completed', 'failed'] },
  },
  logferry_events_erased_total: {
    type: 'counter',
    help: 'Events of which this worker erased a compartment',
  },
  logferry_retention_behind_events: {
    type: 'gauge',
    help: 'Events that have expired and wait to be removed, read from the database',
  },
  logferry_events_written_total: { type: 'counter', help: 'Events taken by POST /v1/events and /v1/events/batch' },
  logferry_http_requests_total: {
    type: 'counter',
    help: 'HTTP requests answered; the route is a pattern, or none if the request reached no route',
    labels: { route: [], method: [], status: [] },
  },
  logferry_http_request_seconds: {
    type: 'histogram',
    help: 'From the head of a request to the end of its reply; streams last as long as they like',
    labels: { route: [], method: [] },
    buckets: requestSeconds,
  },
  logferry_http_rate_limited_total: { type: 'counter', help: 'Requests refused because there were too many' },
  logferry_http_streams: {
    type: 'gauge',
    help: 'Requests of unbounded length under way: progress of exports, NDJSON coming in, events and files going out',
    labels: { kind: ['progress', 'events_in', 'events_out', 'files'] },
  },
  logferry_http_cut_total: {
    type: 'counter',
    help: 'Connections cut because their client took no byte of a reply for too long, or sent too many requests ahead',
    labels: { reason: ['unread', 'pipelined'] },
  },
  logferry_memory_limit_bytes: {
    type: 'gauge',
    help: 'Bytes of memory that this process may hold for requests, replies and deliveries under way',
  },
  logferry_memory_held_bytes: {
    type: 'gauge',
    help: 'Bytes of memory held for them, as counted',
    labels: { kind: memoryKindNames },
  },
  logferry_memory_refused_total: {
    type: 'counter',
    help: 'Requests refused and deliveries put off because there was no memory for them',
    labels: { kind: memoryKindNames },
  },
  logferry_database_connections: {
    type: 'gauge',
    help: 'Connections of this process to the database',
    labels: { pool: [], state: ['busy', 'idle'] },
  },
  logferry_database_connections_max: {
    type: 'gauge',
    help: 'Connections that a pool may open',
    labels: { pool: [] },
  },
  logferry_database_waiting: {
    type: 'gauge',
    help: 'Statements that wait for a connection of a pool',
    labels: { pool: [] },
  },
  logferry_event_loop_delay_seconds: {
    type: 'histogram',
    help: 'How late a timer of 50 milliseconds fired: how long the process was too busy to answer',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
} as const satisfies Record<string, Metric>;

type List = typeof metricList;
export type MetricName = keyof List;
type Named<T extends Metric['type']> = { [N in MetricName]: List[N]['type'] extends T ? N : never }[MetricName];
type ValueOf<V> = V extends readonly [] ? string : V extends LabelValues ? V[number] : never;
/** What a call must give besides the amount: one value for each label, nothing where there is no label. */
type Labels<N extends MetricName> = List[N] extends { labels: infer L }
  ? [labels: { [K in keyof L]: ValueOf<L[K]> }]
  : [];

/** The figures of one process. Nothing is shared between two of them, so tests and processes may have as many as they like. */
export type Metrics = {
  /** Adds to a counter, or moves a gauge by `amount`, which may then be negative. */
  add<N extends Named<'counter' | 'gauge'>>(name: N, amount: number, ...labels: Labels<N>): void;
  set<N extends Named<'gauge'>>(name: N, value: number, ...labels: Labels<N>): void;
  /** Leaves the gauge out of the replies until it is set again: its value is not known. */
  unset<N extends Named<'gauge'>>(name: N): void;
  /** Enters a length of time; a negative one, as clocks of two machines may give, counts as 0. */
  observe<N extends Named<'histogram'>>(name: N, seconds: number, ...labels: Labels<N>): void;
  /** Has `collect` called before each scrape, for what is looked up rather than counted. One that fails is passed over. */
  beforeScrape(collect: () => void | Promise<void>): void;
  /** All that was counted here, for another process that shows it with its own. What there is to say about the process is left out. */
  figures(): Promise<Figures>;
  /** Has each scrape show these figures of another process as well, added up. While they cannot be had it does without. */
  addFiguresOf(another: () => Promise<Figures>): void;
  /** All of it in the text format of Prometheus 0.0.4. */
  scrape(): Promise<{ contentType: string; text: string }>;
  /** Adds what there is to say about the process itself, by their usual names (`process_…`, `nodejs_…`). Once a process. */
  addProcessFigures(): void;
};

/** Figures on their way from one process to another: as prom-client has them in JSON. */
export type Figures = { name: string }[];

/** The one maker of metrics. */
export function makeMetrics(): Metrics {
  const registry = new Registry();
  const ofProcess = new Registry();
  const instruments = new Map<MetricName, Counter | Gauge | Histogram>();
  for (const [name, metric] of Object.entries(metricList) as [MetricName, Metric][])
    instruments.set(name, makeInstrument(registry, name, metric));
  const collectors: (() => void | Promise<void>)[] = [];
  const others: (() => Promise<Figures>)[] = [];
  const collect = () => Promise.allSettled(collectors.map(async (each) => each()));
  return {
    add: (name, amount, ...[labels = {}]) => (instruments.get(name) as Counter | Gauge).inc(labels, amount),
    set: (name, value, ...[labels = {}]) => (instruments.get(name) as Gauge).set(labels, value),
    unset(name) {
      const gauge = instruments.get(name) as Gauge;
      gauge.reset();
      // A reset gauge without labels would say 0.
      if (!('labels' in metricList[name])) gauge.remove();
    },
    observe: (name, seconds, ...[labels = {}]) =>
      (instruments.get(name) as Histogram).observe(labels, Math.max(0, seconds)),
    beforeScrape: (before) => void collectors.push(before),
    async figures() {
      await collect();
      return registry.getMetricsAsJSON();
    },
    addFiguresOf: (another) => void others.push(another),
    async scrape() {
      const [, ...elsewhere] = await Promise.all([collect(), ...others.map((another) => another().catch(() => []))]);
      const shown = elsewhere.some(({ length }) => length > 0)
        ? AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), ...elsewhere])
        : registry;
      return { contentType: registry.contentType, text: (await shown.metrics()) + (await ofProcess.metrics()) };
    },
    addProcessFigures() {
      collectDefaultMetrics({ register: ofProcess });
      const delay = instruments.get('logferry_event_loop_delay_seconds') as Histogram;
      let expectedAt = performance.now() + loopTickMs;
      // The histogram of perf_hooks is not used: what it counts cannot be had as cumulative buckets, only reset at each scrape.
      const timer = setInterval(() => {
        const now = performance.now();
        delay.observe(Math.max(0, now - expectedAt) / 1000);
        expectedAt = now + loopTickMs;
      }, loopTickMs);
      timer.unref();
    },
  };
}

/** Milliseconds between two looks at how late the event loop is. */
const loopTickMs = 50;

function makeInstrument(registry: Registry, name: string, metric: Metric): Counter | Gauge | Histogram {
  const { help, labels = {}, buckets, together: aggregator = 'sum' as const } = metric;
  const options = {
    name,
    help,
    labelNames: Object.keys(labels),
    registers: [registry],
    aggregator,
  };
  if (metric.type === 'histogram') return new Histogram({ ...options, buckets: [...(buckets ?? requestSeconds)] });
  const instrument = metric.type === 'gauge' ? new Gauge(options) : new Counter(options);
  // A series that begins at its first event would hide that event from rate().
  for (const each of combinations(labels)) instrument.inc(each, 0);
  return instrument;
}

/** Every set of labels there can be; none where a label is open. */
function combinations(labels: Readonly<Record<string, LabelValues>>): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (sets, [name, values]) => sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value }))),
    [{}],
  );
}
