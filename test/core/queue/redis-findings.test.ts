import { describe, expect, it } from 'vitest';
import { isFull, redisFindings, unfitness } from '../../../core/queue/redis-findings.ts';
import type { RedisState } from '../../../core/queue/redis-state.ts';

const mib = 2 ** 20;
const good: RedisState = {
  address: '10.0.0.5:6379',
  version: '7.0.15',
  product: 'Redis',
  evictionPolicy: 'noeviction',
  usedBytes: 10 * mib,
  maxBytes: 100 * mib,
  writesLog: true,
  takesSnapshots: true,
  lastSnapshotFailed: false,
  isReplica: false,
  isClusterNode: false,
  latencyMs: 0.4,
  aheadMs: 12,
};

/** What is wrong with a server that is as it should be but for this. */
const amiss = (changes: Partial<RedisState>, isCluster = false) =>
  redisFindings({ ...good, ...changes }, isCluster)
    .filter((finding) => finding.level !== 'ok')
    .map((finding) => `${finding.level}: ${finding.text}`);

describe('The findings about a Redis', () => {
  it('are all well for one that is as it should be', () => {
    expect(redisFindings(good, false).map(({ level, text }) => `${level}: ${text}`)).toEqual([
      'ok: Redis 7.0.15 at 10.0.0.5:6379',
      'ok: it evicts no keys (noeviction)',
      'ok: 10.0 MiB of 100.0 MiB of memory used',
      'ok: it persists waiting jobs (append-only file)',
      'ok: its clock agrees with that of this machine',
      'ok: 10.0.0.5:6379 answers within 0.4 ms',
    ]);
  });

  it.each([
    [{ version: '6.0.16' }, /^failure: .* is version 6\.0\.16$/],
    [{ version: '5.0.7' }, /^failure: .* is version 5\.0\.7$/],
    [{ evictionPolicy: 'allkeys-lru' }, /^failure: .*throw away what waits.*maxmemory-policy allkeys-lru/],
    [{ evictionPolicy: 'volatile-ttl' }, /^failure: .*volatile-ttl/],
    [{ isReplica: true }, /^failure: .*is a replica/],
    [{ isClusterNode: true }, /^failure: .*node of a Redis Cluster/],
    [{ usedBytes: 100 * mib }, /^failure: .*is full/],
    [{ usedBytes: 85 * mib }, /^warning: .*nearly full: 85\.0 MiB of 100\.0 MiB/],
    [{ writesLog: false, takesSnapshots: false }, /^warning: .*persists nothing/],
    [{ lastSnapshotFailed: true }, /^warning: .*could not write its last snapshot/],
    [{ aheadMs: 61_000 }, /^warning: .*is 61 s ahead of/],
    [{ aheadMs: -61_000 }, /^warning: .*is 61 s behind/],
    [{ latencyMs: 80 }, /^warning: .*within 80\.0 ms/],
    [{ version: '', evictionPolicy: '' }, /^warning: .*may not call INFO/],
  ] satisfies [Partial<RedisState>, RegExp][])('are one for %j', (changes, expected) => {
    expect(amiss(changes)).toEqual([expect.stringMatching(expected)]);
  });

  it.each([
    [{ version: '6.2.0' }],
    [{ version: '10.1.0' }],
    // They count from 1 on their own.
    [{ product: 'Dragonfly', version: '1.27.1' }],
    [{ product: 'Valkey', version: '8.0.1' }],
    [{ maxBytes: 0, usedBytes: 5000 * mib }],
    [{ writesLog: false }],
    // A provider that hides its settings.
    [{ writesLog: false, takesSnapshots: undefined }],
    [{ aheadMs: -4000 }],
  ])('are none for %j', (changes) => {
    expect(amiss(changes)).toEqual([]);
  });

  it('take the nodes of a cluster for such', () => {
    expect(amiss({ isClusterNode: true }, true)).toEqual([]);
  });

  it('call a server unfit that loses or refuses jobs for ever, not one that is full or slow', () => {
    const failures = (changes: Partial<RedisState>) =>
      unfitness({ ...good, ...changes }, false).filter(({ level }) => level === 'failure').length;
    expect(failures({ evictionPolicy: 'allkeys-random' })).toBe(1);
    expect(failures({ usedBytes: 200 * mib, latencyMs: 900, writesLog: false, takesSnapshots: false })).toBe(0);
    expect(isFull({ ...good, usedBytes: 200 * mib })).toBe(true);
    expect(isFull({ ...good, usedBytes: 200 * mib, maxBytes: 0 })).toBe(false);
  });
});
