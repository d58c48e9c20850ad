import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import type { ListedObject, ListOptions } from '../object-store.ts';
import type { S3Bucket } from './bucket.ts';
import { answerTo } from './errors.ts';

/** ObjectStore.listObjects: one LIST request a page; S3 tells of 1,000 objects at a time at most. */
export async function* listObjects(
  { clients, options }: S3Bucket,
  prefix: string,
  { after, pageSize = 1000 }: ListOptions = {},
): AsyncGenerator<ListedObject[]> {
  const place = { Bucket: options.bucket, Prefix: options.prefix + prefix, MaxKeys: pageSize };
  let from: { StartAfter?: string; ContinuationToken?: string } | undefined =
    after === undefined ? {} : { StartAfter: options.prefix + after };
  while (from) {
    const command = new ListObjectsV2Command({ ...place, ...from });
    const page: ListObjectsV2CommandOutput = await answerTo(clients.call.send(command));
    yield (page.Contents ?? []).flatMap(({ Key, LastModified }) =>
      // One without a time is never old.
      Key?.startsWith(place.Prefix)
        ? { key: Key.slice(options.prefix.length), modifiedAt: LastModified ?? new Date() }
        : [],
    );
    const { IsTruncated, NextContinuationToken } = page;
    from = IsTruncated && NextContinuationToken ? { ContinuationToken: NextContinuationToken } : undefined;
  }
}
