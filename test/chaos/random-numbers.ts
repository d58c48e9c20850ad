import { createHash } from 'node:crypto';

/** Numbers that look random and follow from a seed. */
export type Random = {
  /** From `least` to `most`, both included. */
  integer(least: number, most: number): number;
  pick<T>(list: readonly T[]): T;
  /** True in this share of all cases. */
  chance(share: number): boolean;
  /** Numbers of their own: how many one part of a run draws, and when, changes nothing for the others. */
  fork(name: string): Random;
};

/** The same seed gives the same numbers, on any machine. */
export function seededRandom(seed: string): Random {
  let drawn = 0;
  const next = (): number => {
    const digest = createHash('sha256').update(`${seed}/${drawn++}`).digest();
    return digest.readUIntBE(0, 6) / 2 ** 48;
  };
  return {
    integer: (least, most) => least + Math.floor(next() * (most - least + 1)),
    pick: (list) => list[Math.floor(next() * list.length)]!,
    chance: (share) => next() < share,
    fork: (name) => seededRandom(`${seed}/${name}`),
  };
}
