import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Linux alone tells of other processes; elsewhere these figures are NaN, and what needs them is not measured. */
const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

const statusMib = (pid: number, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`) ?? '')?.[1] ?? Number.NaN) / 1024;

/** The most memory that a process has had since its start or the last forgetPeak(), in MiB. */
export const peakMib = (pid: number): number => statusMib(pid, 'VmHWM');

/** The memory that a process has now, in MiB. */
export const memoryMib = (pid: number): number => statusMib(pid, 'VmRSS');

/** Lets the peak of a process begin anew (proc(5), clear_refs). Without the right to do so it stays. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // The peak of a longer time is no less.
  }
}

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

type Stat = { parent: number; own: number; ended: number };

/** Fields of /proc/PID/stat behind the name, which may hold anything but ends with the last bracket. */
function statOf(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (!text) return undefined;
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { parent: fields[1]!, own: fields[11]! + fields[12]!, ended: fields[13]! + fields[14]! };
}

/** Seconds of CPU that a process has taken so far, with all that it has started, whether it runs or has ended. */
export function cpuSeconds(pid: number): number {
  const root = statOf(pid);
  if (!root) return Number.NaN;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat?.parent === pid);
  const ticks = children.reduce((sum, stat) => sum + stat!.own + stat!.ended, root.own + root.ended);
  return ticks / ticksPerSecond;
}
