import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import { placeOf, type S3Bucket } from './bucket.ts';
import { answerTo, exceptFor } from './errors.ts';

/**
 * ObjectStore.deleteObject. In a bucket with versions a deletion only hides the file, and a file that was asked to be
 * deleted must not stay: so its versions go too. Where the credentials may not do that it is `hidden`, of which inspect()
 * tells.
 */
export async function deleteObject(bucket: S3Bucket, key: string, pageSize = 1000): Promise<'deleted' | 'hidden'> {
  const place = placeOf(bucket, key);
  const { VersionId, DeleteMarker } = await answerTo(bucket.clients.call.send(new DeleteObjectCommand(place)));
  if (!VersionId && !DeleteMarker) return 'deleted';
  return (await deleteVersions(bucket, key, pageSize).catch(exceptFor('AccessDenied', 'NotImplemented'))) ?? 'hidden';
}

/** The marker of the deletion goes last, so that nothing comes to light again on the way. */
async function deleteVersions(bucket: S3Bucket, key: string, pageSize: number): Promise<'deleted'> {
  for (const VersionId of await versionsOf(bucket, key, pageSize)) {
    await answerTo(bucket.clients.call.send(new DeleteObjectCommand({ ...placeOf(bucket, key), VersionId })));
  }
  return 'deleted';
}

/** All versions and then delete markers of exactly this key. @throws S3Error */
async function versionsOf(bucket: S3Bucket, key: string, pageSize: number): Promise<string[]> {
  const { Bucket, Key } = placeOf(bucket, key);
  const found: { versions: string[]; markers: string[] } = { versions: [], markers: [] };
  let marker: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
  while (marker) {
    const command = new ListObjectVersionsCommand({ Bucket, Prefix: Key, MaxKeys: pageSize, ...marker });
    const page: ListObjectVersionsCommandOutput = await answerTo(bucket.clients.call.send(command));
    const ours = (each: { Key?: string; VersionId?: string }) => (each.Key === Key && each.VersionId) || [];
    found.versions.push(...(page.Versions ?? []).flatMap(ours));
    found.markers.push(...(page.DeleteMarkers ?? []).flatMap(ours));
    // In the order of keys, so those that only begin like ours come behind it.
    const { IsTruncated, NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
    marker = IsTruncated && KeyMarker === Key ? { KeyMarker, VersionIdMarker } : undefined;
  }
  return [...found.versions, ...found.markers];
}
