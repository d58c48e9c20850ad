import type { Finding } from '../findings.ts';
import type { RedisState } from './redis-state.ts';

/** The oldest version that BullMQ is meant for. Valkey and Dragonfly began later, with numbers of their own. */
const oldestVersion = [6, 2] as const;
/** Delays are counted by the clocks of our processes, so one that is far off enqueues deliveries early or late. */
const largestClockDifferenceMs = 5_000;
const slowMs = 50;

/** Whether anything makes the server unfit: it would lose jobs, or refuse them for ever. */
export const unfitness = (state: RedisState, isCluster: boolean): Finding[] => [
  ...versionFindings(state),
  ...evictionFindings(state),
  ...roleFindings(state, isCluster),
];

/** All there is to say about one server. */
export const redisFindings = (state: RedisState, isCluster: boolean): Finding[] => [
  ...unfitness(state, isCluster),
  memoryFinding(state),
  persistenceFinding(state),
  clockFinding(state),
  latencyFinding(state),
];

/** Full: it takes no more jobs until there is room again. */
export const isFull = ({ maxBytes, usedBytes }: RedisState): boolean => maxBytes > 0 && usedBytes >= maxBytes;

const about = 'queue';

function versionFindings({ product, version, address }: RedisState): Finding[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldestVersion;
  const isOld = product === 'Redis' && (major < oldestMajor || (major === oldestMajor && minor < oldestMinor));
  if (version === '') {
    const remedy = 'Let the user of QUEUE_URL call INFO';
    const text = `${address} does not tell its version, nor whether it evicts: its user may not call INFO`;
    return [{ level: 'warning', about, text, remedy }];
  }
  if (!isOld) return [{ level: 'ok', about, text: `${product} ${version} at ${address}` }];
  const text = `Redis at ${address} is version ${version}`;
  return [{ level: 'failure', about, text, remedy: `Use Redis ${oldestVersion.join('.')} or newer` }];
}

function evictionFindings({ evictionPolicy: policy, address }: RedisState): Finding[] {
  // Unknown where INFO is not allowed, which is told with the version.
  if (policy === '') return [];
  if (policy === 'noeviction') return [{ level: 'ok', about, text: 'it evicts no keys (noeviction)' }];
  const text = `Redis at ${address} may throw away what waits when its memory is full (maxmemory-policy ${policy})`;
  return [{ level: 'failure', about, text, remedy: 'Set its maxmemory-policy to noeviction' }];
}

function roleFindings({ isReplica, isClusterNode, address }: RedisState, isCluster: boolean): Finding[] {
  if (isReplica) {
    const remedy = 'Name the primary in QUEUE_URL, or an address that follows it';
    return [{ level: 'failure', about, text: `Redis at ${address} is a replica and accepts no jobs`, remedy }];
  }
  if (isClusterNode && !isCluster) {
    const remedy = 'Add ?cluster=true to QUEUE_URL';
    return [{ level: 'failure', about, text: `Redis at ${address} is a node of a Redis Cluster`, remedy }];
  }
  return isCluster ? [{ level: 'ok', about, text: `${address} is a node of a Redis Cluster` }] : [];
}

function memoryFinding(state: RedisState): Finding {
  const { usedBytes, maxBytes, address } = state;
  if (maxBytes === 0) return { level: 'ok', about, text: `${mib(usedBytes)} of memory used, without a limit` };
  const text = `${mib(usedBytes)} of ${mib(maxBytes)} of memory used`;
  if (usedBytes < maxBytes * 0.8) return { level: 'ok', about, text };
  const remedy = 'Raise maxmemory, or find out what fills it: a waiting export takes about 1 KiB';
  if (!isFull(state)) return { level: 'warning', about, text: `Redis at ${address} is nearly full: ${text}`, remedy };
  return { level: 'failure', about, text: `Redis at ${address} is full and accepts no jobs: ${text}`, remedy };
}

function persistenceFinding({ writesLog, takesSnapshots, lastSnapshotFailed, address }: RedisState): Finding {
  if (lastSnapshotFailed) {
    const text = `Redis at ${address} could not write its last snapshot, and may take no jobs until it can`;
    return { level: 'warning', about, text, remedy: 'Look into its log: mostly its disk is full' };
  }
  if (writesLog) return { level: 'ok', about, text: 'it persists waiting jobs (append-only file)' };
  if (takesSnapshots) return { level: 'ok', about, text: 'it persists snapshots, without an append-only file' };
  if (takesSnapshots === undefined) {
    return { level: 'ok', about, text: 'no append-only file; whether it takes snapshots is unknown' };
  }
  return {
    level: 'warning',
    about,
    text: `Redis at ${address} persists nothing: after a restart, waiting exports start some seconds late`,
    remedy: 'Set appendonly to yes if that is a problem',
  };
}

function clockFinding({ aheadMs, address }: RedisState): Finding {
  if (Math.abs(aheadMs) < largestClockDifferenceMs)
    return { level: 'ok', about, text: 'its clock agrees with that of this machine' };
  const seconds = Math.abs(Math.round(aheadMs / 1000));
  const text = `The clock of ${address} is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this machine`;
  return {
    level: 'warning',
    about,
    text,
    remedy: 'Synchronize both with a time server (NTP): retries of webhooks are scheduled by this clock',
  };
}

function latencyFinding({ latencyMs, address }: RedisState): Finding {
  const text = `${address} answers within ${latencyMs.toFixed(1)} ms`;
  if (latencyMs < slowMs) return { level: 'ok', about, text };
  return { level: 'warning', about, text, remedy: 'Run Redis nearer to the workers' };
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
