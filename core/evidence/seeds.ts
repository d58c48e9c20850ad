import { randomFillSync } from 'node:crypto';

/** Bytes of a seed. */
export const seedBytes = 16;

/** Seeds that are drawn at a time: a call of the generator costs more than the bytes. */
const drawnAtOnce = 512;

let drawn = Buffer.alloc(0);
let used = 0;

/** 16 bytes that nobody can guess, from which the salts of one event are made. */
export function newSeed(): Buffer {
  if (used === drawn.length) {
    // A new buffer each time: the seeds given out are views of the one before.
    drawn = randomFillSync(Buffer.allocUnsafeSlow(drawnAtOnce * seedBytes));
    used = 0;
  }
  used += seedBytes;
  return drawn.subarray(used - seedBytes, used);
}
