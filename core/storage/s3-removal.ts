import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import { placeOf, type S3Bucket } from './s3-bucket.ts';
import { answerTo, isAnswer } from './s3-errors.ts';

/**
 * ObjectStore.deleteObject. In a bucket with versions a deletion only hides the file, and a file that was asked to be
 * deleted must not stay: so its versions go too. Who may not delete versions has it hidden, and is told so by inspect().
 */
export async function deleteObject(bucket: S3Bucket, key: string): Promise<void> {
  const place = placeOf(bucket, key);
  const { VersionId, DeleteMarker } = await answerTo(bucket.clients.call.send(new DeleteObjectCommand(place)));
  if (!VersionId && !DeleteMarker) return;
  try {
    for (const version of await versionsOf(bucket, key)) {
      await answerTo(bucket.clients.call.send(new DeleteObjectCommand({ ...place, VersionId: version })));
    }
  } catch (error) {
    if (!isAnswer(error, 'AccessDenied', 'NotImplemented')) throw error;
  }
}

/** All versions and delete markers of exactly this key. @throws S3Error */
export async function versionsOf(bucket: S3Bucket, key: string): Promise<string[]> {
  const { Bucket, Key } = placeOf(bucket, key);
  const found: string[] = [];
  let marker: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
  while (marker) {
    const command = new ListObjectVersionsCommand({ Bucket, Prefix: Key, ...marker });
    const page: ListObjectVersionsCommandOutput = await answerTo(bucket.clients.call.send(command));
    const all = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    found.push(...all.flatMap((version) => (version.Key === Key && version.VersionId ? version.VersionId : [])));
    // In the order of keys, so those that only begin like ours come behind it.
    const { IsTruncated, NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
    marker = IsTruncated && KeyMarker === Key ? { KeyMarker, VersionIdMarker } : undefined;
  }
  return found;
}
