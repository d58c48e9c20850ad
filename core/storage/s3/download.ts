import { setTimeout as wait } from 'node:timers/promises';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { CallOptions } from '../object-store.ts';
import { placeOf, type S3Bucket } from './bucket.ts';
import { answerTo, S3Error } from './errors.ts';

const attemptsWithoutProgress = 5;
const againMs = 200;

/**
 * ObjectStore.readObject. Where the connection breaks, it goes on from there, of the same object: an etag that has changed
 * is an error. Gives up after five connections in a row that brought nothing.
 */
export async function* readObject(
  bucket: S3Bucket,
  key: string,
  { signal }: CallOptions = {},
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  let found = await get(bucket, key, { signal });
  const bytes = found.ContentLength ?? 0;
  for (let attempt = 1; ; attempt++) {
    const before = offset;
    try {
      for await (const chunk of bodyOf(found)) {
        offset += chunk.length;
        yield chunk;
      }
      if (offset === bytes) return;
      throw new Error(`the connection ended after ${offset} of ${bytes} bytes`);
    } catch (error) {
      signal?.throwIfAborted();
      if (offset === bytes) return;
      if (offset > before) attempt = 0;
      if (attempt === attemptsWithoutProgress) throw new S3Error(error);
      await wait(againMs * 2 ** attempt, undefined, { signal });
      found = await get(bucket, key, { signal, offset, etag: found.ETag });
    }
  }
}

async function get(
  bucket: S3Bucket,
  key: string,
  { signal, offset, etag }: CallOptions & { offset?: number; etag?: string },
): Promise<GetObjectCommandOutput> {
  const range = offset ? { Range: `bytes=${offset}-`, IfMatch: etag } : {};
  const command = new GetObjectCommand({ ...placeOf(bucket, key), ...range });
  const found = await answerTo(bucket.clients.data.send(command, { abortSignal: signal }), signal);
  if (offset && found.$metadata.httpStatusCode !== 206) throw new Error('The server does not know ranges of objects');
  return found;
}

/** In Node the body is a stream of what comes in; the SDK's type has those of browsers in it too. */
const bodyOf = ({ Body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> =>
  (Body ?? []) as unknown as AsyncIterable<Uint8Array>;
