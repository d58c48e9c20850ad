import { GetObjectCommand, PutObjectCommand, type StorageClass } from '@aws-sdk/client-s3';
import type { CallOptions } from '../object-store.ts';
import { placeOf, type S3Bucket } from './bucket.ts';
import { answerTo, exceptFor } from './errors.ts';

/** ObjectStore.writeText. Amazon's S3 and all that speak like it show a new object to every read that begins afterwards. */
export async function writeText(
  { clients, options }: S3Bucket,
  key: string,
  text: string,
  { signal }: CallOptions = {},
): Promise<void> {
  const command = new PutObjectCommand({
    ...placeOf({ clients, options }, key),
    Body: text,
    ContentType: 'text/plain; charset=utf-8',
    ServerSideEncryption: options.encryption,
    SSEKMSKeyId: options.kmsKeyId,
    StorageClass: options.storageClass as StorageClass | undefined,
  });
  await answerTo(clients.call.send(command, { abortSignal: signal }), signal);
}

/** ObjectStore.readText */
export async function readText(
  bucket: S3Bucket,
  key: string,
  { signal }: CallOptions = {},
): Promise<string | undefined> {
  const command = new GetObjectCommand(placeOf(bucket, key));
  const found = await answerTo(bucket.clients.call.send(command, { abortSignal: signal }), signal).catch(
    exceptFor('NoSuchKey', 'NotFound'),
  );
  return found?.Body?.transformToString('utf8');
}
