import { createHash } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { expect } from 'vitest';
import { makeLog } from '../../core/log.ts';
import { queueNames } from '../../core/queue/queue.ts';
import type { ExportView } from '../../prisma/exports/view.ts';
import { openQueue } from '../../prisma/open-queue.ts';
import { type RunningWorker, startWorker } from '../../worker/start-worker.ts';
import { type App, type Call, startApp } from '../api/start-app.ts';
import { createTestDatabase } from '../database.ts';
import { openTestQueue } from '../engines.ts';

export type FinishedExport = {
  view: ExportView;
  /** The file as it is stored. */
  stored: Buffer;
  /** What is in it, unpacked. */
  bytes: Buffer;
  text: string;
};

/**
 * The whole of Logferry: API, queue and storage on the engines of this run, with a worker in this process unless told
 * otherwise.
 * @param environment variables of docs/configuration.md
 */
export async function startExporting(environment: Record<string, string> = {}, { worker: withWorker = true } = {}) {
  const testDatabase = await createTestDatabase();
  const testQueue = await openTestQueue(testDatabase.url);
  const queue = openQueue(testQueue.environment.QUEUE_URL ?? testDatabase.url, makeLog('silent'));
  const settings = { DATABASE_URL: testDatabase.url, ...testQueue.environment, ...environment };
  const app: App = await startApp(settings, { queue });
  const workers = new Set<RunningWorker>();
  const work = async (changes: Partial<App['deps']> = {}): Promise<RunningWorker> => {
    const worker = await startWorker({ ...app.deps, ...changes });
    const running = {
      silentMs: worker.silentMs,
      async stop() {
        workers.delete(running);
        await worker.stop();
      },
    };
    workers.add(running);
    return running;
  };
  if (withWorker) await work();
  return {
    ...app,
    databaseUrl: testDatabase.url,
    /** Starts a worker in this process; parts of what it works with may be replaced. */
    work,
    /** Has the queue lose all jobs, as a Redis without persistence would. */
    forgetJobs: testQueue.forget,
    /** Ids of the exports that somebody enqueued and that no worker has been given yet. */
    async enqueuedExports(): Promise<string[]> {
      const exports = queue.bullQueues.find(({ name }) => name === queueNames.exports)!;
      return (await exports.getJobs()).map(({ data }) => data.id);
    },
    async close() {
      for (const worker of workers) await worker.stop();
      await queue.close();
      await app.close();
      await testQueue.close();
      await testDatabase.drop();
    },
  };
}

export type Exporting = Awaited<ReturnType<typeof startExporting>>;

/** Makes an export and gives its id at once. */
export const queueExport = async (call: Call, request: unknown): Promise<string> =>
  (await createExport(call, request)).id;

async function createExport(call: Call, request: unknown, headers: Record<string, string> = {}): Promise<ExportView> {
  const reply = await call('/v1/exports', { json: request, headers });
  const body = (await reply.json()) as ExportView & { detail?: string };
  if (!reply.ok) throw new Error(`${reply.status} ${body.detail}`);
  return body;
}

/** The export once it has ended; its own event stream says when. */
export async function endedExport(call: Call, id: string): Promise<ExportView> {
  const stream = await call(`/v1/exports/${id}/events`);
  await stream.text();
  return (await call(`/v1/exports/${id}`)).json() as Promise<ExportView>;
}

/** Makes an export, waits for its end, and fetches the file. Fails unless it is complete and as its record says. */
export async function exportFile(call: Call, request: unknown): Promise<FinishedExport> {
  const view = await createExport(call, request, { prefer: 'wait=30' });
  return fetchFile(view.completed_at ? view : await endedExport(call, view.id));
}

/** The file of a completed export, held against its record. */
export async function fetchFile(view: ExportView): Promise<FinishedExport> {
  expect(view).toMatchObject({ status: 'completed', complete: true, error: null });
  const reply = await fetch(view.download_url!);
  expect(reply.status).toBe(200);
  const stored = Buffer.from(await reply.arrayBuffer());
  expect(stored.length).toBe(view.bytes);
  expect(createHash('sha256').update(stored).digest('hex')).toBe(view.sha256);
  const bytes = unpacked(stored, view.compression);
  return { view, stored, bytes, text: bytes.toString() };
}

/** Node's own decoders check the trailing checksums, and fail on a file that is cut. */
function unpacked(stored: Buffer, compression: string): Buffer {
  if (compression === 'gzip') return gunzipSync(stored);
  return compression === 'zstd' ? Buffer.concat([...zstdFrames(stored)]) : stored;
}

/** Frame after frame, because Node stops behind the first (`zstd -d` does not). */
function* zstdFrames(stored: Buffer): Generator<Buffer> {
  for (let at = 0; at < stored.length; ) {
    const frame = zstdDecompressSync(stored.subarray(at), { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    yield frame.buffer;
    at += frame.engine.bytesWritten;
  }
}
