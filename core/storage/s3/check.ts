import { randomUUID } from 'node:crypto';
import { HeadBucketCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import type { Upload } from '../object-store.ts';
import type { S3Bucket } from './bucket.ts';
import { answerTo, S3Error } from './errors.ts';
import { putPart } from './parts.ts';
import { abortUpload, beginUpload } from './uploads.ts';

/** ObjectStore.check. @throws Error that says what to repair, with what S3 said as its cause */
export async function check(bucket: S3Bucket): Promise<void> {
  await checkBucket(bucket);
  await checkChecksums(bucket);
}

/** Stores of this process that have taken a checksum. */
const takesChecksums = new WeakSet<S3Bucket>();

/**
 * Some servers answer 501 to the checksum of a part, which would fail every export. Tried once, with a part of a few bytes; any
 * other refusal says nothing of checksums.
 */
async function checkChecksums(bucket: S3Bucket): Promise<void> {
  if (bucket.options.checksum === 'none' || takesChecksums.has(bucket)) return;
  const key = `inspect/${randomUUID()}`;
  let upload: Upload | undefined;
  try {
    upload = await beginUpload(bucket, key, 'text/plain');
    await putPart(bucket, upload, { partNumber: 1, offset: 0, body: [Buffer.from(key)] });
  } catch (error) {
    if (isUnimplemented(error)) {
      throw new Error(`The bucket ${bucket.options.bucket} cannot be used: ${noChecksums}`, { cause: error });
    }
  } finally {
    if (upload) await abortUpload(bucket, upload).catch(() => {});
  }
  takesChecksums.add(bucket);
}

const isUnimplemented = (error: unknown): boolean => error instanceof S3Error && error.status === 501;

const noChecksums =
  'the server answers 501 (Not Implemented) to checksums of parts (x-amz-checksum-crc32). Set S3_CHECKSUM=none.';

async function checkBucket(bucket: S3Bucket): Promise<void> {
  const { bucket: name, prefix } = bucket.options;
  const client = bucket.clients.check;
  try {
    await answerTo(client.send(new HeadBucketCommand({ Bucket: name })));
  } catch (error) {
    // An answer to HEAD has no body, so a refusal says nothing of its reason; one to GET does.
    const refused = error instanceof S3Error && error.status === 403;
    const list = new ListMultipartUploadsCommand({ Bucket: name, Prefix: prefix || undefined, MaxUploads: 1 });
    const reason = refused
      ? await answerTo(client.send(list)).then(
          () => error,
          (told) => told,
        )
      : error;
    throw new Error(`The bucket ${name} cannot be used: ${await remedy(reason, bucket)}`, { cause: reason });
  }
}

/** What an error of S3 means for those who run Logferry, and what they can do about it. */
export async function remedy(error: unknown, { options, clients }: S3Bucket): Promise<string> {
  if (!(error instanceof S3Error)) return error instanceof Error ? error.message : String(error);
  if (isUnimplemented(error) && options.checksum === 'crc32') return noChecksums;
  const server = options.endpoint ?? 'Amazon S3';
  const region = await clients.call.config.region();
  if (error.bucketRegion && error.bucketRegion !== region) {
    return `it is in the region ${error.bucketRegion}, not ${region}. Set S3_REGION=${error.bucketRegion}.`;
  }
  const remedies: Record<string, string> = {
    NotFound: `there is none of that name at ${server}. Create it, or correct STORAGE_URL or S3_ENDPOINT.`,
    NoSuchBucket: `there is none of that name at ${server}. Create it, or correct STORAGE_URL or S3_ENDPOINT.`,
    InvalidAccessKeyId: `${server} does not know the access key. Correct AWS_ACCESS_KEY_ID, the profile or the role.`,
    SignatureDoesNotMatch:
      'the secret key is not the one of the access key. Correct AWS_SECRET_ACCESS_KEY or the profile.',
    ExpiredToken: 'the temporary credentials have expired. Renew them, or let the AWS SDK find a role.',
    InvalidToken: 'the session token is not one of the access key. Correct AWS_SESSION_TOKEN or the profile.',
    RequestTimeTooSkewed: 'the clock of this machine is wrong by more than 15 minutes. Set it (NTP).',
    CredentialsProviderError:
      'there are no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role.',
    ENOTFOUND: `there is no host of that name. Correct S3_ENDPOINT (${server}), or set S3_FORCE_PATH_STYLE=true.`,
    ECONNREFUSED: `nothing listens at ${server}. Start it, or correct S3_ENDPOINT.`,
    TimeoutError: `${server} does not answer. Correct S3_ENDPOINT, or what stands in the way (firewall, proxy).`,
  };
  const access = `${server} gives these credentials no access (${error.code}). Allow them s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts.`;
  return remedies[error.code] ?? (error.status === 403 ? access : `${error.message} (${server})`);
}
