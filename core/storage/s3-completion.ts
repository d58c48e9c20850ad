import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { CompleteMultipartUploadCommand } from '@aws-sdk/client-s3';
import { type CallOptions, type Completion, type PartReceipt, type Upload, UploadGoneError } from './object-store.ts';
import { bareEtag, placeOf, type S3Bucket, statObject } from './s3-bucket.ts';
import { answerTo, isAnswer } from './s3-errors.ts';
import { readReceiptEtag } from './s3-parts.ts';
import { abortUpload } from './s3-uploads.ts';

/** What a completion that failed is followed by; `gone` also when the upload can never be completed. */
type Verdict = 'again' | 'without condition' | 'gone' | 'failed';

const attempts = 4;
const againMs = 300;

/**
 * ObjectStore.completeUpload. An answer that was lost, a second call, another worker that was faster: all of them are
 * settled by what stands under the key. If its etag is the one that these parts make, it is theirs.
 */
export async function completeUpload(
  bucket: S3Bucket,
  upload: Upload,
  parts: PartReceipt[],
  { signal }: CallOptions = {},
): Promise<Completion> {
  if (parts.length === 0) throw new Error('An upload is completed with one part at least');
  let condition: '*' | undefined = '*';
  for (let attempt = 1; ; attempt++) {
    try {
      return await join(bucket, upload, { parts, condition, signal });
    } catch (error) {
      signal?.throwIfAborted();
      const standing = await statObject(bucket, upload.key, signal);
      if (standing) return { outcome: standing.etag === etagOf(parts) ? 'created' : 'exists', object: standing };
      const verdict = verdictOf(error, condition);
      if (verdict === 'failed') throw error;
      if (verdict === 'gone' || attempt === attempts) {
        await abortUpload(bucket, upload);
        throw new UploadGoneError(upload, error);
      }
      if (verdict === 'without condition') condition = undefined;
      else await wait(againMs * 2 ** attempt, undefined, { signal });
    }
  }
}

async function join(
  bucket: S3Bucket,
  upload: Upload,
  { parts, condition, signal }: { parts: PartReceipt[]; condition: '*' | undefined; signal: AbortSignal | undefined },
): Promise<Completion> {
  const command = new CompleteMultipartUploadCommand({
    ...placeOf(bucket, upload.key),
    UploadId: upload.uploadId,
    MultipartUpload: { Parts: parts.map(partAsSent) },
    IfNoneMatch: condition,
  });
  const { ETag } = await answerTo(bucket.clients.completion.send(command, { abortSignal: signal }), signal);
  const etag = bareEtag(ETag);
  // An etag over these very parts says that S3 has joined them, so their sum is the size.
  if (etag === etagOf(parts)) {
    return { outcome: 'created', object: { etag, bytes: parts.reduce((sum, part) => sum + part.bytes, 0) } };
  }
  const object = await statObject(bucket, upload.key, signal);
  if (!object) throw new UploadGoneError(upload);
  return { outcome: object.etag === etag ? 'created' : 'exists', object };
}

function partAsSent({ partNumber, etag: receipt }: PartReceipt) {
  const { etag, checksum } = readReceiptEtag(receipt);
  return { PartNumber: partNumber, ETag: `"${etag}"`, ChecksumCRC32: checksum };
}

/**
 * The etag that Amazon and most others give an object of these parts: the MD5 of their MD5s, and their number. undefined
 * if the parts have etags of another kind, as with KMS: then nobody knows, and the caller reads the file back.
 */
export function etagOf(parts: PartReceipt[]): string | undefined {
  const etags = parts.map((part) => readReceiptEtag(part.etag).etag);
  if (!etags.every((etag) => /^[0-9a-f]{32}$/.test(etag))) return undefined;
  const hash = createHash('md5');
  for (const etag of etags) hash.update(etag, 'hex');
  return `${hash.digest('hex')}-${parts.length}`;
}

/** Nothing stands under the key: what then? */
function verdictOf(error: unknown, condition: '*' | undefined): Verdict {
  // The parts are not, or not any more, those of the receipts; no repetition mends that, but a new upload does.
  if (isAnswer(error, 'NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall')) return 'gone';
  if (error instanceof UploadGoneError) return 'gone';
  // Somebody deletes or writes the same key at this moment, or what stood there is gone by now.
  if (isAnswer(error, 'ConditionalRequestConflict', 'PreconditionFailed')) return 'again';
  // A server that does not know the condition. Without it an object of another run could be replaced, but by the same
  // bytes: an export's parts follow from its row, and only the holder of the newest epoch says that it is complete.
  if (condition && isAnswer(error, 'NotImplemented', 'InvalidArgument', 'InvalidRequest')) return 'without condition';
  return 'failed';
}
