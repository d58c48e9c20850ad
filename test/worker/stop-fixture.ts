import { addManyEvents } from '../add-events.ts';
import { bodyOf, startApp } from '../api/start-app.ts';
import { type Exporting, endedExport, fetchFile, queueExport } from './export-fixture.ts';
import { holdRuns } from './hold-runs.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

const count = 8_000;

/**
 * An API that enqueues nothing, events, and worker processes, which find exports by their sweep: so tests may do to the queue
 * what they like.
 * @param environment variables of docs/configuration.md
 */
export async function startStoppable(environment: Record<string, string> = {}) {
  const app = await startApp(environment);
  const { tenant, call } = await app.newTenant();
  await addManyEvents(app.database, tenant.id, { count, noiseBytes: 2000 });
  const runs = await holdRuns(app.deps.config.DATABASE_URL!);
  const processes: WorkerProcess[] = [];
  const startProcess = async (changes: Record<string, string> = {}) => {
    const worker = startWorkerProcess(app as unknown as Exporting, changes);
    processes.push(worker);
    await worker.logged('worker runs');
    return worker;
  };
  return {
    databaseUrl: app.deps.config.DATABASE_URL!,
    runs,
    /** A real worker process that has begun its work. */
    startProcess,
    /** Makes an export that a worker is running, and at which it is held until `runs` let it go on. */
    async heldExport(): Promise<string> {
      const id = await queueExport(call, { format: 'ndjson', filter: { through_sequence: count } });
      await runs.at([{ exportId: id, part: 2 }]);
      await runs.reached();
      return id;
    },
    statusOf: async (id: string): Promise<string> => (await bodyOf(call(`/v1/exports/${id}`))).status,
    /** The next worker takes the export over, and nothing is wrong with its file. */
    async finish(id: string, changes: Record<string, string> = {}): Promise<void> {
      await startProcess(changes);
      await fetchFile(await endedExport(call, id));
    },
    async killProcesses(): Promise<void> {
      for (const each of processes.splice(0)) await each.ended('SIGKILL');
    },
    async close(): Promise<void> {
      await runs.close().catch(() => {});
      await app.close();
    },
  };
}

/** Sends SIGTERM, does what is to be done `meanwhile`, and gives the exit code and the milliseconds that it took. */
export async function stopProcess(worker: WorkerProcess, meanwhile = async () => {}) {
  const begun = performance.now();
  const ended = worker.ended('SIGTERM');
  await worker.logged('worker stops');
  await meanwhile();
  return { code: await ended, tookMs: performance.now() - begun };
}
