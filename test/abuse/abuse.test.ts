import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attacks } from './attacks/attacks.ts';
import { report } from './report.ts';
import { type Outcome, runAttack } from './run-attack.ts';
import { startTarget, type Target } from './target.ts';
import { type Bystander, startBystander } from './watch-bystander.ts';

/** `npm run test:abuse` tries all of them for longer and on a larger log; `npm test` those marked as short. */
const isWhole = process.env.TEST_ABUSE === 'all';
const size = isWhole
  ? { events: 300_000, forMs: 12_000, mostMs: 1_000 }
  : // Beside other tests every time is several times as long; without its bounds, an attack takes it beyond ten seconds.
    { events: 40_000, forMs: 3_000, mostMs: 4_000 };

/** MiB that a process may take. */
const mostMib = 600;

let target: Target;
let bystander: Bystander;
let usualP95: number;
const outcomes: Outcome[] = [];
beforeAll(async () => {
  target = await startTarget(size);
  bystander = startBystander(target.url, target.bystander.key);
  await bystander.next(20);
  bystander.begin();
  await bystander.next(30);
  usualP95 = bystander.experience().p95;
}, 180_000);
afterAll(async () => {
  await report(outcomes);
  await bystander?.stop();
  await target?.stop();
});

describe('A tenant beside an attacker gets its replies within a second, and no 5xx, beside', () => {
  it.each(attacks.filter(({ isShort }) => isWhole || isShort))(
    '$name',
    async (attack) => {
      const outcome = await runAttack({ target, bystander }, attack, size.forMs);
      outcomes.push(outcome);
      target.stillRuns();
      expect(outcome.bystander.failed).toEqual([]);
      // A machine that is busy with others is slow without any attack, too.
      expect(outcome.bystander.p95).toBeLessThan(Math.max(size.mostMs, 5 * usualP95));
      expect(outcome.bystander.unfinished).toBe(0);
      expect(outcome.peaks.api).toBeLessThan(mostMib);
      expect(outcome.peaks.worker).toBeLessThan(mostMib);
      expect(Object.keys(outcome.attacker)).not.toContain('500');
    },
    180_000,
  );
});
