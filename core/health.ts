import { within } from './async/within.ts';
import type { Log } from './log.ts';
import { type Queue, QueueAwayError } from './queue/queue.ts';
import type { ObjectStore } from './storage/object-store.ts';

/** Something that the process works with; `check` fails when it is not there. */
export type ReadinessCheck = {
  name: string;
  check(): Promise<unknown>;
  /** Whether the process does its work all the same with this error: then it is a warning. */
  isBearable?(error: unknown): boolean;
};

export type Readiness = {
  status: 'ok' | 'unavailable';
  checks: Record<string, 'ok' | 'away' | 'not ready'>;
  not_ready: string[];
  /** What is away and is waited for, while the process serves. */
  warnings: string[];
};

/** Milliseconds that one check may take. */
const checkTimeoutMs = 2_000;
/** Milliseconds for which an answer is given again: the route is open to anybody, and must not become a load on the storage. */
const maxAgeMs = 1_000;

/** A reply of /livez or /readyz. */
export type HealthReply = { status: 200 | 503; headers: Record<string, string>; body: object };

type Parts = {
  database: { pool: { query(text: string): Promise<unknown> } };
  store: Pick<ObjectStore, 'check'>;
  queue: Pick<Queue, 'check'>;
};

/**
 * What a process needs to be ready. An API serves without its queue: exports that are made meanwhile begin when the queue is
 * back, so one that is away must take no API out of its load balancer. One that loses jobs must. A worker without its queue
 * does nothing.
 */
export const readinessChecks = ({ database, store, queue }: Parts, process: 'api' | 'worker'): ReadinessCheck[] => [
  { name: 'database', check: () => database.pool.query('select 1') },
  { name: 'storage', check: () => store.check() },
  {
    name: 'queue',
    check: () => queue.check(),
    isBearable: (error) => process === 'api' && error instanceof QueueAwayError,
  },
];

/**
 * Makes what answers /readyz: all checks are asked side by side, and 503 names those that failed. Why they did is in the log
 * alone, once when it begins, as the route is open to anybody.
 */
export function readiness(checks: readonly ReadinessCheck[], log: Log): () => Promise<HealthReply> {
  const states = new Map<string, Readiness['checks'][string]>();
  const askOne = async (each: ReadinessCheck) => {
    const before = states.get(each.name) ?? 'ok';
    const state = await within(checkTimeoutMs, `The check of the ${each.name}`, started(each)).then(
      () => 'ok' as const,
      (err) => {
        const failed = each.isBearable?.(err) ? 'away' : 'not ready';
        if (before !== failed) log.warn({ err, check: each.name }, failed);
        return failed;
      },
    );
    if (state === 'ok' && before !== 'ok') log.info({ check: each.name }, 'ready again');
    states.set(each.name, state);
    return [each.name, state] as const;
  };
  let latest: { at: number; reply: Promise<HealthReply> } | undefined;
  return () => {
    if (latest && performance.now() - latest.at < maxAgeMs) return latest.reply;
    latest = { at: performance.now(), reply: Promise.all(checks.map(askOne)).then(replyOf) };
    return latest.reply;
  };
}

/** A check that throws at once is one that fails. */
const started = async ({ check }: ReadinessCheck): Promise<unknown> => check();

function replyOf(states: (readonly [string, Readiness['checks'][string]])[]): HealthReply {
  const named = (wanted: string) => states.filter(([, state]) => state === wanted).map(([name]) => name);
  const notReady = named('not ready');
  const body: Readiness = {
    status: notReady.length === 0 ? 'ok' : 'unavailable',
    checks: Object.fromEntries(states),
    not_ready: notReady,
    warnings: named('away'),
  };
  if (notReady.length === 0) return { status: 200, headers: noStore, body };
  return { status: 503, headers: { ...noStore, 'Retry-After': '5' }, body };
}

const noStore = { 'Cache-Control': 'no-store' };

/** The reply of /livez; `silentMs` for one of a process that should be at work and shows no sign of life. */
export const liveness = (silentMs?: number): HealthReply =>
  silentMs === undefined
    ? { status: 200, headers: noStore, body: { status: 'ok' } }
    : { status: 503, headers: noStore, body: { status: 'stuck', silent_seconds: Math.round(silentMs / 1000) } };
