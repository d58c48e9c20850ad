import { access, constants, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Config } from '../core/config.ts';
import type { Finding } from '../core/findings.ts';

const about = 'machine';
/** The first Node.js that runs TypeScript as it is, without a flag. */
const oldestNode = [22, 18] as const;
/** Bytes below which a disk counts as nearly full. */
const scarceBytes = 5 * 1024 ** 3;

/** This machine, as far as processes that run here need it. */
export async function checkMachine(config: Config): Promise<Finding[]> {
  return [nodeFinding(process.versions.node), ...(await dataFindings(config))];
}

/** @param version such as 24.1.0 */
export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  const text = `Node.js ${version}`;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return { level: 'ok', about, text };
  const remedy = `Run it by "npm run", which brings its own, or install ${oldestNode.join('.')} or newer.`;
  return { level: 'failure', about, text: `${text} does not run TypeScript as it is`, remedy };
}

/** LOGFERRY_DATA is needed for what is not kept elsewhere. */
async function dataFindings(config: Config): Promise<Finding[]> {
  const keeps = [
    ...(config.DATABASE_URL ? [] : ['the database of npm start']),
    ...(config.STORAGE_URL ? [] : ['files']),
    ...(config.LOGFERRY_SECRET_KEY ? [] : ['the secret key']),
  ];
  if (keeps.length === 0) return [{ level: 'ok', about, text: 'nothing is kept in LOGFERRY_DATA' }];
  const directory = resolve(config.LOGFERRY_DATA);
  const there = await nearestExisting(directory);
  try {
    await access(there, constants.W_OK | constants.X_OK);
  } catch (error) {
    const text = `LOGFERRY_DATA (${directory}) cannot be written: ${(error as NodeJS.ErrnoException).code}`;
    const remedy = `It is to keep ${keeps.join(', ')}. Give it to the user that runs Logferry, or name another one.`;
    return [{ level: 'failure', about, text, remedy }];
  }
  const { bavail, bsize } = await statfs(there);
  const text = `${directory} keeps ${keeps.join(', ')}; ${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB are free`;
  if (bavail * bsize >= scarceBytes) return [{ level: 'ok', about, text }];
  return [{ level: 'warning', about, text, remedy: 'Free some space: events and files that do not fit are refused.' }];
}

/** The directory itself, or where it would be made. */
async function nearestExisting(directory: string): Promise<string> {
  for (let path = directory; ; path = dirname(path)) {
    const isThere = await access(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
    if (isThere || path === dirname(path)) return path;
  }
}
