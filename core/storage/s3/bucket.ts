import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { ObjectInfo } from '../object-store.ts';
import type { S3Clients } from './client.ts';
import { answerTo, exceptFor } from './errors.ts';
import type { S3Options } from './options.ts';

/** What every operation works on: the bucket, and the clients that reach it. */
export type S3Bucket = { clients: S3Clients; options: S3Options };

/** Where a key of ours stands in the bucket. */
export const placeOf = ({ options }: S3Bucket, key: string) => ({
  Bucket: options.bucket,
  Key: options.prefix + key,
});

/** S3 puts quotes around etags; ours go without, as in links and rows. */
export const bareEtag = (etag: string | undefined): string => (etag ?? '').replace(/^"|"$/g, '');

/** ObjectStore.statObject */
export async function statObject(bucket: S3Bucket, key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
  const command = new HeadObjectCommand(placeOf(bucket, key));
  const found = await answerTo(bucket.clients.call.send(command, { abortSignal: signal }), signal).catch(
    exceptFor('NotFound', 'NoSuchKey'),
  );
  return found && { bytes: found.ContentLength ?? 0, etag: bareEtag(found.ETag) };
}
