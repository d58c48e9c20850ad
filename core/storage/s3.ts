import type { ObjectStore } from './object-store.ts';
import { type S3Bucket, statObject } from './s3-bucket.ts';
import { check } from './s3-check.ts';
import { makeClients } from './s3-client.ts';
import { completeUpload } from './s3-completion.ts';
import { readObject } from './s3-download.ts';
import { inspect } from './s3-inspect.ts';
import { signLink } from './s3-links.ts';
import type { S3Options } from './s3-options.ts';
import { putPart } from './s3-parts.ts';
import { deleteObject } from './s3-removal.ts';
import { abortUpload, beginUpload, listUploads } from './s3-uploads.ts';

/**
 * The object store in a bucket of Amazon S3 or a server that speaks like it. Any number of processes may share it; what
 * they do is settled by S3, never by what one of them remembers. Nothing is called before the first use.
 * Errors of S3 are S3Error; a call that its signal ends throws the signal's reason at once.
 */
export function openS3Store(options: S3Options): ObjectStore {
  const clients = makeClients(options);
  const bucket: S3Bucket = { clients, options };
  return {
    beginUpload: (key, contentType) => beginUpload(bucket, key, contentType),
    putPart: (upload, part, call) => putPart(bucket, upload, part, call),
    completeUpload: (upload, parts, call) => completeUpload(bucket, upload, parts, call),
    abortUpload: (upload) => abortUpload(bucket, upload),
    listUploads: () => listUploads(bucket),
    readObject: (key, call) => readObject(bucket, key, call),
    statObject: (key) => statObject(bucket, key),
    deleteObject: async (key) => void (await deleteObject(bucket, key)),
    signLink: (key, link) => signLink(bucket, key, link),
    check: () => check(bucket),
    inspect: () => inspect(bucket),
    close: async () => clients.close(),
  };
}
