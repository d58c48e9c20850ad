import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { readConfig } from '../../../core/config.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { openS3Store } from '../../../core/storage/s3/open-s3.ts';
import { readS3Options, type S3Options } from '../../../core/storage/s3/options.ts';
import type { S3Service } from '../../../local/services/find-s3.ts';

/** A bucket of the test's own, a client to look at it past the store, and stores that are opened on it. */
export type TestStore = {
  bucket: string;
  client: S3Client;
  store: ObjectStore;
  options: S3Options;
  /** Another store on the same bucket, as by other settings. */
  open(changes?: Partial<S3Options>): ObjectStore;
  isLocalStack: boolean;
  close(): Promise<void>;
};

/** Opens the store in a new bucket, under a prefix. Credentials reach the SDK as from an operator: by the environment. */
export async function openTestStore(service: S3Service, changes: Partial<S3Options> = {}): Promise<TestStore> {
  const { endpoint, region, accessKeyId, secretAccessKey } = service;
  process.env.AWS_ACCESS_KEY_ID = accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = secretAccessKey;
  const bucket = `logferry-test-${randomUUID()}`;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const environment = {
    STORAGE_URL: `s3://${bucket}/some/prefix`,
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    S3_FORCE_PATH_STYLE: 'true',
  };
  const options = { ...readS3Options(readConfig(environment)), ...changes };
  const stores: ObjectStore[] = [];
  const open = (others: Partial<S3Options> = {}) => {
    const store = openS3Store({ ...options, ...others });
    stores.push(store);
    return store;
  };
  return {
    bucket,
    client,
    store: open(),
    options,
    open,
    isLocalStack: await isLocalStack(endpoint),
    async close() {
      for (const store of stores) await store.close();
      await empty(client, bucket);
      await client.send(new DeleteBucketCommand({ Bucket: bucket }));
      client.destroy();
    },
  };
}

/** For what LocalStack does otherwise than all others. */
const isLocalStack = async (endpoint: string): Promise<boolean> =>
  (await fetch(new URL('/_localstack/health', endpoint))).headers.get('content-type') === 'application/json';

async function empty(client: S3Client, bucket: string): Promise<void> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  for (const { Key, UploadId } of Uploads) {
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
  }
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    const all = [...Versions, ...DeleteMarkers];
    if (all.length === 0) return;
    for (const { Key, VersionId } of all)
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
  }
}
