import { setTimeout as wait } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  type StorageClass,
} from '@aws-sdk/client-s3';
import type { BegunUpload, Upload } from './object-store.ts';
import { placeOf, type S3Bucket } from './s3-bucket.ts';
import { answerTo, isAnswer } from './s3-errors.ts';
import { hasEnded } from './s3-parts.ts';

/** ObjectStore.beginUpload. One whose answer was lost is begun again; the sweep finds the first. */
export async function beginUpload(bucket: S3Bucket, key: string, contentType: string): Promise<Upload> {
  const { options, clients } = bucket;
  const command = new CreateMultipartUploadCommand({
    ...placeOf(bucket, key),
    ContentType: contentType,
    ChecksumAlgorithm: options.checksum === 'crc32' ? 'CRC32' : undefined,
    ServerSideEncryption: options.encryption,
    SSEKMSKeyId: options.kmsKeyId,
    StorageClass: options.storageClass as StorageClass | undefined,
  });
  const { UploadId } = await answerTo(clients.call.send(command));
  if (!UploadId) throw new Error('S3 began an upload and gave it no id');
  return { key, uploadId: UploadId };
}

const abortAttempts = 5;
const abortAgainMs = 200;

/**
 * ObjectStore.abortUpload. A part that was under way may be stored after the abort, where nobody would see it and
 * everybody pay for it: so Amazon asks to abort again until no parts are listed (AbortMultipartUpload, API reference).
 */
export async function abortUpload(bucket: S3Bucket, upload: Upload): Promise<void> {
  const { call } = bucket.clients;
  const place = { ...placeOf(bucket, upload.key), UploadId: upload.uploadId };
  for (let attempt = 1; ; attempt++) {
    try {
      await answerTo(call.send(new AbortMultipartUploadCommand(place)));
      if (await hasEnded(bucket, upload, call)) return;
    } catch (error) {
      // Who may abort but not list parts has to leave it at that.
      if (isAnswer(error, 'NoSuchUpload', 'AccessDenied') && (attempt > 1 || isAnswer(error, 'NoSuchUpload'))) return;
      throw error;
    }
    if (attempt === abortAttempts) throw new Error(`Parts of the upload ${upload.uploadId} go on coming in`);
    await wait(abortAgainMs * 2 ** attempt);
  }
}

/** ObjectStore.listUploads: those under the prefix, however many there are. */
export async function listUploads({ clients, options }: S3Bucket): Promise<BegunUpload[]> {
  const found: BegunUpload[] = [];
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (marker) {
    const command = new ListMultipartUploadsCommand({
      Bucket: options.bucket,
      Prefix: options.prefix || undefined,
      ...marker,
    });
    const page: ListMultipartUploadsCommandOutput = await answerTo(clients.call.send(command));
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (!Key?.startsWith(options.prefix) || !UploadId) continue;
      found.push({ key: Key.slice(options.prefix.length), uploadId: UploadId, begunAt: Initiated ?? new Date() });
    }
    const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    marker = IsTruncated && KeyMarker ? { KeyMarker, UploadIdMarker } : undefined;
  }
  return found;
}
