import { type Cluster, Redis } from 'ioredis';
import { TooLateError, within } from '../async/within.ts';
import type { Finding } from '../findings.ts';
import { QueueAwayError, QueueLosesJobsError } from './queue.ts';
import type { RedisAddress } from './redis-address.ts';
import { type RedisClient, tryConnection } from './redis-connection.ts';
import { isFull, redisFindings, unfitness } from './redis-findings.ts';
import { type RedisState, readRedisState } from './redis-state.ts';

/** Below the 1.5 seconds that Queue.check has. */
const patienceMs = 1_400;
/** What a client waits for a job. */
const connectPatienceMs = 1_000;

/** `check` and `inspect` of the queue on Redis, over the connection that enqueues. */
export function monitorRedis(client: RedisClient, address: RedisAddress) {
  const { host, port, cluster } = address;
  const lastError = rememberErrors(client, address);
  const refuse = () => {
    const failure = lastError();
    if (failure && (client.status !== 'ready' || isRefusal(failure))) throw failure;
  };
  const untilUsable = async () => {
    refuse();
    await untilReady(client);
    refuse();
  };
  const readStates = async (): Promise<RedisState[]> => {
    const asked = untilUsable().then(() => Promise.all(serversOf(client).map(readRedisState)));
    return within(patienceMs, 'Redis', asked).catch((error) => {
      throw (error instanceof TooLateError && lastError()) || error;
    });
  };
  const who = `Redis at ${host}:${port}`;
  return {
    /** Waits a moment for the first connection, which a process that has just begun is still making. @throws why there is none */
    untilReady: () => within(connectPatienceMs, 'the first connection', untilUsable()),
    /** Says of an error of a command, mostly that there was no connection, why there was none. */
    explain: (error: Error) => explain((client.status !== 'ready' && lastError()) || error, who),
    async check(): Promise<void> {
      const states = await readStates().catch((error) => {
        throw explain(error, who);
      });
      for (const state of states) {
        const [finding] = unfitness(state, cluster).filter(({ level }) => level === 'failure');
        if (finding && 'remedy' in finding) throw new QueueLosesJobsError(`${finding.text}. ${finding.remedy}.`);
        if (isFull(state)) throw new QueueAwayError(`Redis at ${state.address} is full and accepts no jobs`);
      }
    },
    async inspect(): Promise<Finding[]> {
      try {
        return (await readStates()).flatMap((state) => redisFindings(state, cluster));
      } catch (error) {
        const text = explain(error as Error, who).message;
        return [{ level: 'failure', about: 'queue', text, remedy: 'Correct QUEUE_URL, or what it leads to' }];
      }
    },
  };
}

/** Gives why the client has no connection, or one that is not as it should be: what a server refused while it was made. */
function rememberErrors(client: RedisClient, address: RedisAddress): () => Error | undefined {
  let last: Error | undefined;
  let sinceConnect: Error | undefined;
  client.on('error', async (error: Error) => {
    last = sinceConnect = error;
    // A cluster only says that no node gave an answer, whatever the reason.
    const reason = address.cluster ? await tryConnection(address) : undefined;
    if (reason && last === error) last = reason;
  });
  client.on('connect', () => {
    sinceConnect = undefined;
  });
  // After a database that there is not, ioredis goes on with database 0.
  client.on('ready', () => {
    last = sinceConnect;
  });
  return () => last;
}

async function untilReady(client: RedisClient): Promise<void> {
  if (client.status === 'ready') return;
  await new Promise<void>((resolve) => (client as Redis).once('ready', resolve));
}

const serversOf = (client: RedisClient): Redis[] =>
  client instanceof Redis ? [client] : (client as Cluster).nodes('master');

/** Waiting does not repair it: a wrong password, a certificate that does not fit, a database that there is not. */
const isRefusal = ({ name, message, code }: Error & { code?: string }): boolean =>
  name === 'ReplyError'
    ? !/^(LOADING|MASTERDOWN|CLUSTERDOWN|BUSY|READONLY|ERR max number of clients)/.test(message)
    : /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(code ?? '');

function explain(cause: Error & { code?: string }, who: string): Error {
  const what = cause.message || cause.code;
  if (isRefusal(cause)) return new Error(`${who} rejects the connection: ${what}`, { cause });
  if (cause instanceof TooLateError) return new QueueAwayError(`${who} does not answer within ${patienceMs} ms`);
  return new QueueAwayError(`${who} cannot be reached: ${what}`, { cause });
}
