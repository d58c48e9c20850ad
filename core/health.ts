import { within } from './async/within.ts';
import type { Log } from './log.ts';
import { type Queue, QueueLosesJobsError } from './queue/queue.ts';
import type { ObjectStore } from './storage/object-store.ts';
import { NoRoomError } from './storage/store-full.ts';

/** Something that the process works with; `check` fails when it is not there. */
export type ReadinessCheck = {
  name: string;
  check(): Promise<unknown>;
  /** Whether the process does its work all the same with this error: then it is a warning. */
  isBearable?(error: unknown): boolean;
  /** Whether anybody may read why it fails. Of a server, the reason may name addresses and users. */
  isPublic?: boolean;
};

export type Readiness = {
  status: 'ok' | 'unavailable';
  checks: Record<string, 'ok' | 'away' | 'full' | 'not ready'>;
  not_ready: string[];
  /** What is away or full and is waited for, while the process serves. */
  warnings: string[];
  /** Why checks fail, of those whose reasons are public. */
  reasons?: Record<string, string>;
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
  schema: { check(): Promise<void> };
  /** Whether files may grow; asked once the storage is there. */
  room?: { check(): Promise<void> };
  logs: { check(): Promise<void> };
};

/**
 * What a process needs to be ready. An API serves without its queue and its storage: events are taken, and exports that are
 * made meanwhile begin when both are back, so neither must take an API out of its load balancer. A queue that loses jobs must.
 * A worker without either does nothing.
 */
export const readinessChecks = (
  { database, schema, store, queue, room, logs }: Parts,
  process: 'api' | 'worker',
): ReadinessCheck[] => [
  { name: 'database', check: () => database.pool.query('select 1') },
  { name: 'schema', check: () => schema.check(), isPublic: true },
  {
    name: 'storage',
    async check() {
      await store.check();
      await room?.check();
    },
    isBearable: () => process === 'api',
  },
  {
    name: 'queue',
    check: () => queue.check(),
    isBearable: (error) => process === 'api' && !(error instanceof QueueLosesJobsError),
  },
  // Of a log that contradicts itself nothing is signed; everything else goes on.
  { name: 'log', check: () => logs.check(), isBearable: () => true },
];

type State = Readiness['checks'][string];
type Answer = { name: string; state: State; reason?: string };

/** A system call or a server writes messages of another kind. */
const isForPeople = (error: unknown): error is Error => error instanceof Error && !('code' in error);

/**
 * Makes what answers /readyz: all checks are asked side by side, and 503 names those that failed. Why they did is in the log,
 * once when it begins; the route is open to anybody, and so gives reasons only where they are public.
 */
export function readiness(checks: readonly ReadinessCheck[], log: Log): () => Promise<HealthReply> {
  const states = new Map<string, State>();
  const askOne = async (each: ReadinessCheck): Promise<Answer> => {
    const { name } = each;
    const before = states.get(name) ?? 'ok';
    const answer = await within(checkTimeoutMs, `The check of the ${name}`, started(each)).then(
      (): Answer => ({ name, state: 'ok' }),
      (err): Answer => {
        const state = each.isBearable?.(err) ? bearable(err) : 'not ready';
        if (before !== state) log.warn({ err, check: name }, state);
        return { name, state, reason: each.isPublic && isForPeople(err) ? err.message : undefined };
      },
    );
    if (answer.state === 'ok' && before !== 'ok') log.info({ check: name }, 'ready again');
    states.set(name, answer.state);
    return answer;
  };
  let latest: { at: number; reply: Promise<HealthReply> } | undefined;
  return () => {
    if (latest && performance.now() - latest.at < maxAgeMs) return latest.reply;
    latest = { at: performance.now(), reply: Promise.all(checks.map(askOne)).then(replyOf) };
    return latest.reply;
  };
}

const bearable = (error: unknown): State => (error instanceof NoRoomError ? 'full' : 'away');

/** A check that throws at once is one that fails. */
const started = async ({ check }: ReadinessCheck): Promise<unknown> => check();

function replyOf(answers: Answer[]): HealthReply {
  const named = (wanted: State) => answers.filter(({ state }) => state === wanted).map(({ name }) => name);
  const reasons = answers.filter(({ reason }) => reason !== undefined).map(({ name, reason }) => [name, reason!]);
  const notReady = named('not ready');
  const body: Readiness = {
    status: notReady.length === 0 ? 'ok' : 'unavailable',
    checks: Object.fromEntries(answers.map(({ name, state }) => [name, state])),
    not_ready: notReady,
    warnings: [...named('away'), ...named('full')],
    ...(reasons.length > 0 && { reasons: Object.fromEntries(reasons) }),
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
