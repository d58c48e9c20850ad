import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Log } from '../bench.ts';
import type { Deployment } from '../deployment.ts';
import { cpuSeconds, forgetPeak, peakMib } from '../process-figures.ts';
import type { Sample } from '../rounds.ts';
import { removeExport, runExport } from '../run-export.ts';

/** Lets PostgreSQL itself write rows into a file. @param behind what stands between them, such as `| gzip -1` */
export async function limitToFile(
  bench: Bench,
  what: { log: Log; format: 'csv' | 'json'; throughRow: number },
  behind = '',
): Promise<Sample> {
  const { children, limit, servers } = bench;
  const file = join(servers.directory, `limit-${Math.random().toString(36).slice(2)}`);
  const line = limit.line({ tenantId: what.log.id, format: what.format, throughRow: what.throughRow });
  const cpu = cpuSeconds(servers.postgresPid);
  const started = performance.now();
  await children.shell(`${line} ${behind} > '${file}'`);
  const seconds = (performance.now() - started) / 1000;
  rmSync(file);
  return { seconds, postgresCpu: cpuSeconds(servers.postgresPid) - cpu };
}

/** Runs one export, and tells what it cost every process. The file is removed. */
export async function exportOnce(
  { servers }: Bench,
  { url, api, workers }: Deployment,
  { log, request }: { log: Log; request: object },
): Promise<Sample> {
  const pids = { postgresCpu: servers.postgresPid, apiCpu: api.pid, workerCpu: workers[0]!.pid };
  const cpu = () => Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)] as const);
  const before = Object.fromEntries(cpu());
  forgetPeak(workers[0]!.pid);
  const caller = { ...log, url };
  const { id, seconds, rows, bytes } = await runExport(caller, request);
  const spent = Object.fromEntries(cpu().map(([name, value]) => [name, value - before[name]!]));
  await removeExport(caller, id);
  return { seconds, rows, bytes, workerPeakMib: peakMib(workers[0]!.pid), ...spent };
}
