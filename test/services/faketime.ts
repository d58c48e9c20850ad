import { execFileSync } from 'node:child_process';

/** What a process must be started with so that its clock is off by so much (`+1h`, `-1h`), while its timers go on as ever. */
export type SkewedClock = (offset: string) => Record<string, string>;

/** Makes skewed clocks by libfaketime, if the command faketime is there. */
export function findFaketime(): SkewedClock | undefined {
  try {
    const library = execFileSync('faketime', ['-m', '-f', '+1h', 'printenv', 'LD_PRELOAD'], {
      encoding: 'utf8',
    }).trim();
    return (offset) => ({ LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' });
  } catch {
    return undefined;
  }
}
