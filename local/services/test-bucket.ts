import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3Service } from './find-s3.ts';

export type TestBucket = {
  name: string;
  /** A client of the test's own, to look at the bucket past Logferry. */
  client: S3Client;
  /** What points Logferry to it, as an operator would set it. */
  environment: Record<string, string>;
  /** Removes it and all that is in it. */
  remove(): Promise<void>;
};

/** An empty bucket of the test's own, with the lifecycle rule that docs/deploy.md asks for. */
export async function createTestBucket(service: S3Service): Promise<TestBucket> {
  const { endpoint, region, accessKeyId, secretAccessKey } = service;
  const name = `logferry-test-${randomUUID()}`;
  const client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  await setLifecycle(client, name);
  return {
    name,
    client,
    environment: {
      STORAGE_URL: `s3://${name}`,
      S3_ENDPOINT: endpoint,
      S3_REGION: region,
      S3_FORCE_PATH_STYLE: 'true',
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
    async remove() {
      await empty(client, name);
      await client.send(new DeleteBucketCommand({ Bucket: name }));
      client.destroy();
    },
  };
}

async function setLifecycle(client: S3Client, bucket: string): Promise<void> {
  const rule = { ID: 'unfinished', Status: 'Enabled', Filter: { Prefix: '' } } as const;
  const rules = [{ ...rule, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } }];
  const configuration = { Bucket: bucket, LifecycleConfiguration: { Rules: rules } };
  await client.send(new PutBucketLifecycleConfigurationCommand(configuration)).catch((error) => {
    // Some servers have no such thing, and Logferry does without.
    if (error.name !== 'NotImplemented') throw error;
  });
}

async function empty(client: S3Client, bucket: string): Promise<void> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  for (const { Key, UploadId } of Uploads) {
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
  }
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
    if (Contents.length === 0) return;
    const Objects = Contents.map(({ Key }) => ({ Key }));
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
  }
}
