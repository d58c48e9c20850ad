import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Observation } from './bystander.ts';

/** What a well-behaved tenant met with. Times are milliseconds. */
export type Experience = {
  requests: number;
  /** Of all requests but exports, which are made and waited for. */
  p50: number;
  p95: number;
  exportP95: number;
  /** What was answered with 5xx, or not at all: what it was, and the status. */
  failed: string[];
  /** Exports that had not been completed when the wait for them ended. */
  unfinished: number;
};

export type Bystander = {
  /** Begins to note down. */
  begin(): void;
  /** What was met with since begin(). Requests that began before and ended later are among it. */
  experience(): Experience;
  /** Resolves with the next `count` observations. */
  next(count: number): Promise<Observation[]>;
  stop(): Promise<void>;
};

/** Starts the process of bystander.ts. */
export function startBystander(url: string, key: string): Bystander {
  const child = fork(`${import.meta.dirname}/bystander.ts`, [url, key], { stdio: 'inherit' });
  let seen: Observation[] = [];
  child.on('message', (observation) => void seen.push(observation as Observation));
  return {
    begin() {
      seen = [];
    },
    experience: () => experienceOf(seen),
    async next(count) {
      const taken: Observation[] = [];
      while (taken.length < count) taken.push((await once(child, 'message'))[0] as Observation);
      return taken;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

function experienceOf(seen: readonly Observation[]): Experience {
  const requests = seen.filter(({ what }) => what !== 'export');
  const exports = seen.filter(({ what }) => what === 'export');
  return {
    requests: seen.length,
    p50: quantile(requests, 0.5),
    p95: quantile(requests, 0.95),
    exportP95: quantile(exports, 0.95),
    failed: seen.filter(({ status }) => status >= 500).map(({ what, status }) => `${what} ${status}`),
    unfinished: exports.filter(({ status }) => status === 202).length,
  };
}

function quantile(seen: readonly Observation[], share: number): number {
  const sorted = seen.map(({ ms }) => ms).sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}
