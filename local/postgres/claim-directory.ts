import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Takes a data directory for this process alone, and returns the function that gives it back.
 * A claim whose process is gone (kill -9, power loss) is taken over.
 * @throws Error, one line for the user, when a process that still runs holds the directory.
 */
export function claimDirectory(directory: string): () => void {
  const file = join(directory, 'owner');
  const mine = identify(process.pid);
  for (;;) {
    try {
      writeFileSync(file, mine, { flag: 'wx', mode: 0o600 });
      return () => release(file, mine);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES') {
        throw new Error(
          `No right to write in ${directory}: it belongs to another user. Start as that user, or set LOGFERRY_DATA.`,
        );
      }
      if (code !== 'EEXIST') throw error;
    }
    const holder = readIfThere(file);
    if (holder === undefined) continue;
    const pid = Number.parseInt(holder, 10);
    if (isRunning(pid) && identify(pid) === holder) {
      throw new Error(
        `Logferry already runs on ${directory} (process ${pid}). Stop it, or set LOGFERRY_DATA to another directory.`,
      );
    }
    removeStale(file, holder);
  }
}

function release(file: string, mine: string): void {
  if (readIfThere(file) === mine) rmSync(file, { force: true });
}

/** Moves a stale claim away, and puts it back if another process had just replaced it by its own. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (readIfThere(aside) === stale) rmSync(aside, { force: true });
  else renameSync(aside, file);
}

/** Process id and start time: the id alone would soon belong to another process, in containers at once. */
function identify(pid: number): string {
  return `${pid} ${startTime(pid)}`;
}

function startTime(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat === undefined ? askPs(pid, 'lstart=') : (fieldsOf(stat)[19] ?? '');
}

/** What follows the name, which stands in parentheses and may hold spaces (proc(5)): the state first. */
const fieldsOf = (stat: string): string[] => stat.slice(stat.lastIndexOf(')') + 2).split(' ');

/** Of systems without /proc. */
function askPs(pid: number, column: string): string {
  if (existsSync('/proc/self/stat')) return '';
  try {
    return execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8', env: { LC_ALL: 'C' } }).trim();
  } catch {
    return '';
  }
}

/** Whether there is a process with this id, of whatever user, that has not ended: one that nobody has reaped yet has. */
export function isRunning(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return !/^[ZX]/.test(stateOf(pid));
}

/** Letters of proc(5) and ps(1): Z is a zombie, X dead. Empty if nothing can be said. */
function stateOf(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat === undefined ? askPs(pid, 'stat=') : fieldsOf(stat)[0]!;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
