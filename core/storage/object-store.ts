/** What is known of a stored object. */
export type ObjectInfo = { bytes: number; etag: string };

/** One part of an upload as the store acknowledged it. */
export type PartReceipt = { partNumber: number; etag: string; bytes: number };

/** Names an upload that was begun and neither completed nor aborted. */
export type Upload = { key: string; uploadId: string };

/** What a link shows the browser; both go into the signature. */
export type LinkOptions = { expiresInSeconds: number; contentDisposition: string; contentType: string };

/**
 * Where files are kept. Two makers: S3 (s3.ts) and files on disk (file.ts); test/core/storage holds both to the same
 * contract. An object is visible only once it is complete, and never changes after that.
 */
export type ObjectStore = {
  /** Begins an upload. Nothing is visible under `key` until completeUpload. */
  beginUpload(key: string, contentType: string): Promise<Upload>;
  /**
   * Stores one part; the same part number again replaces it, so a part after the last checkpoint may be repeated.
   * `offset` is the number of bytes in all parts before it. Parts may be put at the same time.
   * @throws UploadGoneError if the upload was completed or aborted
   */
  putPart(upload: Upload, part: { partNumber: number; offset: number; body: Buffer[] }): Promise<PartReceipt>;
  /**
   * Makes the object of these parts, in order, unless one stands under the key already. Says which: `created`, or
   * `exists` with what stands there, for the caller to compare.
   * @throws UploadGoneError if the upload is gone and no object stands under the key
   */
  completeUpload(upload: Upload, parts: PartReceipt[]): Promise<{ outcome: 'created' | 'exists'; object: ObjectInfo }>;
  /** Forgets an upload and its parts. Quiet if it is gone already. */
  abortUpload(upload: Upload): Promise<void>;
  /** Uploads begun before `before` and not ended, for the sweep. */
  listUploads(before: Date): Promise<Upload[]>;
  /** The bytes of an object, from its beginning. @throws if there is none */
  readObject(key: string): AsyncIterable<Uint8Array>;
  statObject(key: string): Promise<ObjectInfo | undefined>;
  /** Quiet if there is no such object. */
  deleteObject(key: string): Promise<void>;
  /** A link that anybody may GET until it expires. */
  signLink(key: string, options: LinkOptions): Promise<{ url: string; expiresAt: Date }>;
  /** @throws if the store cannot be written to, saying what to mend */
  check(): Promise<void>;
};

/** The upload was completed or aborted by somebody else: whoever sees this has lost it. */
export class UploadGoneError extends Error {
  constructor(upload: Upload, cause?: unknown) {
    super(`Upload ${upload.uploadId} of ${upload.key} is gone`, { cause });
    this.name = 'UploadGoneError';
  }
}
