import type { Finding } from '../findings.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { check } from './s3-check.ts';

const about = 'storage';

/** ObjectStore.inspect */
export async function inspect(bucket: S3Bucket): Promise<Finding[]> {
  try {
    await check(bucket);
  } catch (error) {
    const { message } = error as Error;
    return [{ level: 'failure', about, text: message, mend: 'Do what the message says, then look again.' }];
  }
  return [{ level: 'ok', about, text: `the bucket ${bucket.options.bucket} can be reached` }];
}
