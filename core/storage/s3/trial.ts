import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { Finding } from '../../findings.ts';
import { placeOf, type S3Bucket, statObject } from './bucket.ts';
import { remedy } from './check.ts';
import { completeUpload } from './completion.ts';
import { readObject } from './download.ts';
import { answerTo } from './errors.ts';
import { signLink } from './links.ts';
import { putPart } from './parts.ts';
import { deleteObject } from './removal.ts';
import { abortUpload, beginUpload, listUploads } from './uploads.ts';

const about = 'storage';
const ok = (text: string): Finding => ({ level: 'ok', about, text });
const warning = (text: string, remedy: string): Finding => ({ level: 'warning', about, text, remedy });

/**
 * Does with a small file all that is done with that of an export, and tells how it went. What fails is the last finding;
 * what could not be cleared away then ends with the sweep or stays as `inspect/<any>`.
 */
export async function tryOut(bucket: S3Bucket): Promise<Finding[]> {
  const key = `inspect/${randomUUID()}`;
  const found: Finding[] = [];
  const begun = performance.now();
  for (const step of [refuseMissing, write, readBack, tellEncryption, link, remove, listBegun]) {
    try {
      found.push(...(await step(bucket, key)));
    } catch (error) {
      const text = `a file could not be tried out: ${await remedy(error, bucket)}`;
      await deleteObject(bucket, key).catch(() => {});
      return [...found, { level: 'failure', about, text, remedy: 'Follow the message, then run the doctor again.' }];
    }
  }
  const seconds = (performance.now() - begun) / 1000;
  return seconds < slowSeconds ? found : [...found, slow(seconds)];
}

/** For some ten small calls one after the other. */
const slowSeconds = 5;

const slow = (seconds: number): Finding =>
  warning(
    `the storage is slow: writing, reading and deleting a small file took ${seconds.toFixed(0)} s`,
    'Check its load and its distance; exports are just as slow.',
  );

async function refuseMissing(bucket: S3Bucket, key: string): Promise<Finding[]> {
  await statObject(bucket, key);
  return [];
}

/** Twice, to see whether the server knows the condition that the first writer wins. */
async function write(bucket: S3Bucket, key: string): Promise<Finding[]> {
  const first = await store(bucket, key, key);
  const second = await store(bucket, key, `not ${key}`);
  if (first === 'created' && second === 'exists') {
    return [ok('a file was uploaded in parts, and a second one with the same name was rejected')];
  }
  return [
    warning(
      'a file was uploaded in parts, but the server lets a second one replace it (If-None-Match on completion)',
      'Nothing is lost: runs of one export write the same bytes. A server that knows the condition (Amazon S3 does) never shows a file twice.',
    ),
  ];
}

async function store(bucket: S3Bucket, key: string, text: string): Promise<'created' | 'exists'> {
  const upload = await beginUpload(bucket, key, 'text/plain');
  const part = await putPart(bucket, upload, { partNumber: 1, offset: 0, body: [Buffer.from(text)] });
  const { outcome } = await completeUpload(bucket, upload, [part]);
  if (outcome === 'exists') await abortUpload(bucket, upload);
  return outcome;
}

async function readBack(bucket: S3Bucket, key: string): Promise<Finding[]> {
  const text = (await buffer(readObject(bucket, key))).toString();
  if (!text.endsWith(key)) throw new Error('what was read back is not what was written');
  return [];
}

async function tellEncryption(bucket: S3Bucket, key: string): Promise<Finding[]> {
  const { encryption } = bucket.options;
  const head = new HeadObjectCommand(placeOf(bucket, key));
  const { ServerSideEncryption: used, SSEKMSKeyId: keyId } = await answerTo(bucket.clients.call.send(head));
  if (encryption && used !== encryption) {
    return [
      warning(
        `files are to be encrypted with ${encryption} (S3_SSE), but the server says ${used ?? 'nothing of encryption'}`,
        'Use a server that encrypts, or take S3_SSE out.',
      ),
    ];
  }
  return [
    ok(
      used
        ? `files are encrypted by the server: ${used} ${keyId ?? ''}`.trim()
        : 'the server says nothing of encryption',
    ),
  ];
}

const linkTimeoutMs = 5_000;

/** From here, which need not be where clients are: so whatever happens is a warning. */
async function link(bucket: S3Bucket, key: string): Promise<Finding[]> {
  const options = { expiresInSeconds: 60, contentType: 'text/plain', contentDisposition: 'attachment' };
  const { url } = await signLink(bucket, key, options);
  const { origin, pathname } = new URL(url);
  const get = (address: string) => fetch(address, { signal: AbortSignal.timeout(linkTimeoutMs), redirect: 'manual' });
  const remedy =
    'Set S3_PUBLIC_ENDPOINT to the address at which clients reach the storage, then fetch a link from there.';
  try {
    const linked = await get(url);
    const text = await linked.text();
    if (linked.status !== 200 || !text.endsWith(key)) {
      return [warning(`a download link to ${origin} answered ${linked.status} ${text.slice(0, 300)}`, remedy)];
    }
    const bare = await get(origin + pathname);
    await bare.body?.cancel();
    if (bare.status !== 200) return [ok(`a download link to ${origin} works, and nothing is shown without one`)];
    return [
      warning(
        `a download link to ${origin} works, and so does one without any signature: whoever knows a key reads the file`,
        'Block public access to the bucket (LocalStack is always so, and for development only).',
      ),
    ];
  } catch (error) {
    const { message, cause } = error as Error;
    return [warning(`a download link to ${origin} cannot be fetched from here: ${cause ?? message}`, remedy)];
  }
}

async function remove(bucket: S3Bucket, key: string): Promise<Finding[]> {
  const outcome = await deleteObject(bucket, key);
  if (await statObject(bucket, key)) throw new Error('the file is there still after it was deleted');
  if (outcome === 'deleted') return [ok('the file was deleted')];
  return [
    warning(
      'the bucket keeps versions, and these credentials may not delete them: deleted files stay as old versions',
      'Allow s3:ListBucketVersions and s3:DeleteObjectVersion, or add a lifecycle rule with NoncurrentVersionExpiration.',
    ),
  ];
}

async function listBegun(bucket: S3Bucket): Promise<Finding[]> {
  await listUploads(bucket);
  return [];
}
