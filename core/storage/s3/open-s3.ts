import type { ObjectStore } from '../object-store.ts';
import { type S3Bucket, statObject } from './bucket.ts';
import { check } from './check.ts';
import { makeClients } from './client.ts';
import { completeUpload } from './completion.ts';
import { readObject } from './download.ts';
import { inspect } from './inspect.ts';
import { signLink } from './links.ts';
import { listObjects } from './listing.ts';
import type { S3Options } from './options.ts';
import { putPart } from './parts.ts';
import { deleteObject } from './removal.ts';
import { readText, writeText } from './text.ts';
import { abortUpload, beginUpload, listUploads } from './uploads.ts';

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
    listObjects: (prefix, page) => listObjects(bucket, prefix, page),
    readObject: (key, call) => readObject(bucket, key, call),
    statObject: (key) => statObject(bucket, key),
    writeText: (key, text, call) => writeText(bucket, key, text, call),
    readText: (key, call) => readText(bucket, key, call),
    deleteObject: async (key) => void (await deleteObject(bucket, key)),
    signLink: (key, link) => signLink(bucket, key, link),
    check: () => check(bucket),
    inspect: () => inspect(bucket),
    close: async () => clients.close(),
  };
}
