import { globSync } from 'node:fs';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { enginePairs } from './test/engine-pairs.ts';

/** Of the files with many processes one is short enough for `npm test`; `npm run test:chaos` has them all. */
const long = process.env.TEST_CHAOS === 'all' ? [] : ['equal-shares', 'many-parts', 'outages', 'rolling-stop'];
const all = globSync('test/**/*.test.ts', { cwd: import.meta.dirname }).filter(
  (file) =>
    !long.some((name) => file === `test/chaos/${name}.test.ts`) &&
    // Ten minutes of steady load are `npm run test:steady`.
    (process.env.TEST_STEADY || file !== 'test/abuse/steady.test.ts'),
);
/** The export suite: what runs exports or asks for them, and so goes through queue and storage. */
const exporting = all.filter((file) => file.startsWith('test/exporting/'));

/**
 * Those of it that `npm test` shows with the first pair alone, which needs no services: they go the same way through any queue and
 * storage, or the chaos test does the same to Redis and S3. `npm run test:engines` shows them with all pairs.
 */
const onAnyEngines = [
  'clocks',
  'delete-tenants',
  'erase-many',
  'erasures',
  'event-streams',
  'exactly-once',
  'expire-events',
  'expire-many',
  'fairness',
  'filters',
  'memory',
  'meter-run',
  'no-connections',
  'planted-secrets',
  'regions',
  'resume',
].map((name) => `test/exporting/${name}.test.ts`);

const isAllPairs = process.env.TEST_ENGINES === 'all';
/** Two of them in `npm test`: together they have each queue and each storage. `npm run test:engines` has all four. */
const pairs = Object.entries(enginePairs).slice(0, isAllPairs ? 4 : 2);

const settings = {
  environment: 'node',
  pool: 'forks',
  testTimeout: 30_000,
  hookTimeout: 30_000,
  // On a busy machine everything takes its time; none of these tests is about how long.
  expect: { poll: { timeout: 10_000 } },
} as const;

export default defineConfig({
  test: {
    globalSetup: ['test/global-setup.ts'],
    reporters: ['default', './test/services/report-skipped.ts'],
    // Each file has its own database. Two left the cores of a small machine idle for half of the time, waiting for servers.
    maxWorkers: 3,
    projects: [
      { test: { ...settings, name: 'rest', include: all.filter((file) => !exporting.includes(file)) } },
      ...pairs.map(([name, engines], index): TestProjectInlineConfiguration => {
        const isShown = (file: string) => index === 0 || isAllPairs || !onAnyEngines.includes(file);
        const include = exporting.filter(isShown);
        return { test: { ...settings, name, include, provide: { engines }, runner: './test/engine-runner.ts' } };
      }),
    ],
  },
});
