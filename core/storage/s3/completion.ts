import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { CompleteMultipartUploadCommand } from '@aws-sdk/client-s3';
import { type CallOptions, type Completion, type PartReceipt, type Upload, UploadGoneError } from '../object-store.ts';
import { bareEtag, placeOf, type S3Bucket, statObject } from './bucket.ts';
import { answerTo, isAnswer } from './errors.ts';
import { readReceiptEtag } from './parts.ts';
import { abortUpload } from './uploads.ts';

/** What a completion that failed is followed by; `gone` also when the upload can never be completed. */
type Verdict = 'again' | 'without condition' | 'gone' | 'failed';

const attempts = 4;
const againMs = 200;

/**
 * ObjectStore.completeUpload. Whatever is answered, what stands under the key decides: that settles an answer that was
 * lost, a second call, and another worker that was faster. The object is of these parts if its etag is the one that they
 * make, or the one that was answered. The answer alone will not do: versitygw answers 200, with an etag over the parts
 * that it was told of, also for an upload that is gone when another object has the key.
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
    const { etag, error } = await join(bucket, upload, { parts, condition, signal });
    const object = await statObject(bucket, upload.key, signal);
    if (object) return { outcome: [etag, etagOf(parts)].includes(object.etag) ? 'created' : 'exists', object };
    const verdict = verdictOf(error, condition);
    if (verdict === 'failed') throw error;
    if (verdict === 'gone' || attempt === attempts) {
      await abortUpload(bucket, upload);
      throw new UploadGoneError(upload, error);
    }
    if (verdict === 'without condition') condition = undefined;
    else await wait(againMs * 2 ** (attempt - 1), undefined, { signal });
  }
}

/** Asks S3 to join the parts. @throws only the reason of the signal */
async function join(
  bucket: S3Bucket,
  upload: Upload,
  { parts, condition, signal }: { parts: PartReceipt[]; condition: '*' | undefined; signal: AbortSignal | undefined },
): Promise<{ etag?: string; error?: unknown }> {
  const command = new CompleteMultipartUploadCommand({
    ...placeOf(bucket, upload.key),
    UploadId: upload.uploadId,
    MultipartUpload: { Parts: parts.map(partAsSent) },
    IfNoneMatch: condition,
  });
  try {
    const { ETag } = await answerTo(bucket.clients.completion.send(command, { abortSignal: signal }), signal);
    return { etag: bareEtag(ETag) };
  } catch (error) {
    signal?.throwIfAborted();
    return { error };
  }
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
  // The parts are not, or not any more, those of the receipts; no repetition repairs that, but a new upload does.
  if (isAnswer(error, 'NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall')) return 'gone';
  // Joined, and removed by somebody since.
  if (error === undefined) return 'gone';
  // Somebody deletes or writes the same key at this moment.
  if (isAnswer(error, 'ConditionalRequestConflict')) return 'again';
  // A server that does not know the condition, or takes a deleted object for one that stands (versitygw). Without it an
  // object of another run could be replaced, but by the same bytes: an export's parts follow from its row, and only the
  // holder of the newest epoch says that it is complete.
  const refusals = ['NotImplemented', 'InvalidArgument', 'InvalidRequest', 'PreconditionFailed'];
  if (condition && isAnswer(error, ...refusals)) return 'without condition';
  return 'failed';
}
