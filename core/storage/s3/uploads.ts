import { setTimeout as wait } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
  type S3Client,
  type StorageClass,
} from '@aws-sdk/client-s3';
import type { BegunUpload, Upload } from '../object-store.ts';
import { placeOf, type S3Bucket } from './bucket.ts';
import { answerTo, exceptFor } from './errors.ts';

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

const abortAttempts = 4;
const abortAgainMs = 200;

/**
 * ObjectStore.abortUpload. A part that was under way may be stored after the abort, where nobody would see it and
 * everybody pay for it: so Amazon asks to abort again until no parts are listed (AbortMultipartUpload, API reference).
 */
export async function abortUpload(bucket: S3Bucket, upload: Upload): Promise<void> {
  const { call } = bucket.clients;
  const place = { ...placeOf(bucket, upload.key), UploadId: upload.uploadId };
  for (let attempt = 1; attempt <= abortAttempts; attempt++) {
    await answerTo(call.send(new AbortMultipartUploadCommand(place))).catch(exceptFor('NoSuchUpload'));
    // Who may abort uploads but not look at them has to leave it at that.
    const ended = await hasEnded(bucket, upload, call).catch(exceptFor('AccessDenied'));
    if (ended !== false) return;
    await wait(abortAgainMs * 2 ** (attempt - 1));
  }
  throw new Error(`Parts of the upload ${upload.uploadId} go on coming in after ${abortAttempts} aborts`);
}

/** Whether an upload is completed or aborted. @throws S3Error */
export async function hasEnded(bucket: S3Bucket, upload: Upload, client: S3Client): Promise<boolean> {
  const place = { ...placeOf(bucket, upload.key), UploadId: upload.uploadId };
  const found = await answerTo(client.send(new ListPartsCommand({ ...place, MaxParts: 1 }))).catch(
    exceptFor('NoSuchUpload'),
  );
  return found === undefined;
}

type Marker = { KeyMarker?: string; UploadIdMarker?: string };

/** ObjectStore.listUploads: those under the prefix, however many there are; S3 tells of 1,000 at a time at most. */
export async function listUploads(bucket: S3Bucket, pageSize = 1000): Promise<BegunUpload[]> {
  const { prefix } = bucket.options;
  const found: BegunUpload[] = [];
  let marker: Marker | undefined = {};
  while (marker) {
    const page: ListMultipartUploadsCommandOutput = await listPage(bucket, marker, pageSize);
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (!Key?.startsWith(prefix) || !UploadId) continue;
      found.push({ key: Key.slice(prefix.length), uploadId: UploadId, begunAt: Initiated ?? new Date() });
    }
    const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    marker = IsTruncated && KeyMarker ? { KeyMarker, UploadIdMarker } : undefined;
  }
  return found;
}

/**
 * versitygw 1.8 refuses the upload it has named itself as the end of a page. Then the next key begins the next page, and
 * further uploads of the same key are left for the next sweep.
 */
async function listPage({ clients, options }: S3Bucket, marker: Marker, MaxUploads: number) {
  const list = (from: Marker) => {
    const place = { Bucket: options.bucket, Prefix: options.prefix || undefined };
    return answerTo(clients.call.send(new ListMultipartUploadsCommand({ ...place, MaxUploads, ...from })));
  };
  const { KeyMarker, UploadIdMarker } = marker;
  if (!UploadIdMarker) return list(marker);
  return (await list(marker).catch(exceptFor('InvalidArgument'))) ?? list({ KeyMarker });
}
