import { createHash } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { ExportView } from '../../prisma/exports/view.ts';

/**
 * What is in the file of a completed export, fetched by its link. No `expect` of vitest: `npm run chaos` runs without it.
 * @throws Error when the file is not the one of the record
 */
export async function fetchFile(view: ExportView): Promise<string> {
  const reply = await fetch(view.download_url!);
  if (reply.status !== 200) throw new Error(`its link answers ${reply.status}`);
  const stored = Buffer.from(await reply.arrayBuffer());
  const sha256 = createHash('sha256').update(stored).digest('hex');
  if (stored.length !== view.bytes) throw new Error(`has ${stored.length} bytes and says ${view.bytes}`);
  if (sha256 !== view.sha256) throw new Error(`has the SHA-256 ${sha256} and says ${view.sha256}`);
  if (view.compression === 'gzip') return gunzipSync(stored).toString();
  return (view.compression === 'zstd' ? Buffer.concat([...zstdFrames(stored)]) : stored).toString();
}

/** Frame after frame, because Node stops behind the first. */
function* zstdFrames(stored: Buffer): Generator<Buffer> {
  for (let at = 0; at < stored.length; ) {
    const { buffer, engine } = zstdDecompressSync(stored.subarray(at), { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    yield buffer;
    at += engine.bytesWritten;
  }
}
