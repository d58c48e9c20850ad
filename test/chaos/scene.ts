import { setTimeout as wait } from 'node:timers/promises';
import type { Fleet } from './fleet.ts';
import type { Random } from './random-numbers.ts';

/** Something that was done to the fleet, from beginning to end, in milliseconds. */
export type Trouble = { fault: string; of: string; from: number; to: number };

/** How a process ended that was told to. */
export type Stop = { member: string; how: number | NodeJS.Signals; afterMs: number; from: number; to: number };

/** What faults work on, and where they leave word of themselves. */
export type Scene = {
  fleet: Fleet;
  limits: FaultLimits;
  troubles: Trouble[];
  stops: Stop[];
  /** What comes to its end by itself while other things are done. */
  beside: Promise<void>[];
  /** Told of each thing that is done. */
  say(line: string): void;
};

/** Milliseconds that things may be away at most, and those between one fault and the next. */
export type FaultLimits = { redisAwayMs: number; frozenMs: number; pauseMs: number };

export type Fault = { name: string; run(scene: Scene, random: Random): Promise<void> };

/** Does something and writes down from when to when. */
export async function during<T>(scene: Scene, what: { fault: string; of: string }, work: () => Promise<T>): Promise<T> {
  const trouble: Trouble = { ...what, from: Date.now(), to: Infinity };
  scene.troubles.push(trouble);
  scene.say(`${what.fault} (${what.of})`);
  try {
    return await work();
  } finally {
    trouble.to = Date.now();
  }
}

/** Lets something go on while other things are done. */
export function beside(scene: Scene, work: Promise<void>): void {
  // Whoever waits for it all hears of its error.
  work.catch(() => {});
  scene.beside.push(work);
}

/**
 * Lets one fault follow the other, with pauses, for `forMs`: in an order that follows from the seed, each of them once
 * before any comes again, and all of them once however long it takes.
 */
export async function disturb(scene: Scene, faults: readonly Fault[], random: Random, forMs: number): Promise<void> {
  const until = Date.now() + forMs;
  let isEachDone = false;
  for (let round = 1; !isEachDone || Date.now() < until; round++) {
    for (const fault of shuffled(faults, random)) {
      if (isEachDone && Date.now() > until) break;
      await wait(random.integer(scene.limits.pauseMs / 3, scene.limits.pauseMs));
      await fault.run(scene, random.fork(`${fault.name} ${round}`));
    }
    isEachDone = true;
  }
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const left = [...list];
  return list.map(() => left.splice(random.integer(0, left.length - 1), 1)[0]!);
}
