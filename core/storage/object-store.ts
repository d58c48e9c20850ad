import type { Finding } from '../findings.ts';

/** What is known of a stored object. */
export type ObjectInfo = { bytes: number; etag: string };

/** One part of an upload as the store acknowledged it. */
export type PartReceipt = { partNumber: number; etag: string; bytes: number };

/** Names an upload that was begun and neither completed nor aborted. */
export type Upload = { key: string; uploadId: string };
/** A complete object as a listing tells of it; the time is that of the store's own clock. */
export type ListedObject = { key: string; modifiedAt: Date };
/** `after` is the last key of a listing before, which this one goes on behind. */
export type ListOptions = { after?: string; pageSize?: number };

export type BegunUpload = Upload & { begunAt: Date };

export type Completion = { outcome: 'created' | 'exists'; object: ObjectInfo };

/** A part to be stored: `offset` is the number of bytes in all parts before it. */
export type NewPart = { partNumber: number; offset: number; body: Buffer[] };

/** Ends a call early: a store that hangs must keep no cancel and no stop waiting. What was sent may have been done. */
export type CallOptions = { signal?: AbortSignal };

/** What a link shows the browser; both go into the signature. */
export type LinkOptions = {
  expiresInSeconds: number;
  /** From when on, where the process's own clock is not to be trusted. S3 has a clock of its own, and it is asked. */
  now?: Date;
  contentDisposition: string;
  contentType: string;
  /** GET by default. S3 signs the method too, so a link for one is refused for the other. */
  method?: 'GET' | 'HEAD';
};

/**
 * Where files are kept. Two makers: S3 (s3.ts) and files on disk (file.ts); test/core/storage holds both to the same
 * contract. An object is visible only once it is complete, and never changes after that, but for those of writeText.
 */
export type ObjectStore = {
  /** Begins an upload. Nothing is visible under `key` until completeUpload. */
  beginUpload(key: string, contentType: string): Promise<Upload>;
  /**
   * Stores one part; the same part number again replaces it, so a part after the last checkpoint may be repeated. Parts
   * may be put at the same time.
   * @throws UploadGoneError if the upload was completed or aborted
   */
  putPart(upload: Upload, part: NewPart, options?: CallOptions): Promise<PartReceipt>;
  /**
   * Makes the object of these parts, in order, unless one stands under the key already. Says which: `created`, or
   * `exists` with what stands there, for the caller to compare. `created` only if the object is made of these very parts.
   * @throws UploadGoneError if the upload is gone and no object stands under the key
   */
  completeUpload(upload: Upload, parts: PartReceipt[], options?: CallOptions): Promise<Completion>;
  /** Forgets an upload and its parts. Quiet if it is gone already. */
  abortUpload(upload: Upload): Promise<void>;
  /** Uploads that were begun and have not ended, for the sweep. */
  listUploads(): Promise<BegunUpload[]>;
  /**
   * The objects whose keys begin with the folder `prefix` (`exports/`), each once and in the same order every time, a page at a
   * time, so that millions take no more memory than a page. Those that come or go meanwhile may be among them or not.
   */
  listObjects(prefix: string, options?: ListOptions): AsyncIterable<ListedObject[]>;
  /** The bytes of an object, from its beginning. @throws if there is none */
  readObject(key: string, options?: CallOptions): AsyncIterable<Uint8Array>;
  statObject(key: string): Promise<ObjectInfo | undefined>;
  /** Makes or replaces a small object; readers have the old text or the new one. Not for keys of uploads. */
  writeText(key: string, text: string, options?: CallOptions): Promise<void>;
  /** What writeText() has written last, by whatever process; undefined if there is no such object. */
  readText(key: string, options?: CallOptions): Promise<string | undefined>;
  /** Quiet if there is no such object. */
  deleteObject(key: string): Promise<void>;
  /** A link by which anybody may GET the object (or HEAD it, if that is asked for) until it expires. */
  signLink(key: string, options: LinkOptions): Promise<{ url: string; expiresAt: Date }>;
  /** Cheap enough to be asked every few seconds. @throws Error that says why, if the store cannot be used */
  check(): Promise<void>;
  /** All there is to say about it, for people; it writes, reads and removes a small object. What fails is a finding. */
  inspect(): Promise<Finding[]>;
  close(): Promise<void>;
};

/** The upload was completed or aborted by somebody else: whoever sees this has lost it. */
export class UploadGoneError extends Error {
  constructor(upload: Upload, cause?: unknown) {
    super(`Upload ${upload.uploadId} of ${upload.key} is gone`, { cause });
    this.name = 'UploadGoneError';
  }
}
