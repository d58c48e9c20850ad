/**
 * A call that S3 refused or did not answer. `code` is S3's own (NoSuchUpload), or that of the connection (ECONNREFUSED,
 * TimeoutError); `status` is missing where there was no answer.
 */
export class S3Error extends Error {
  readonly code: string;
  readonly status: number | undefined;
  /** Where the bucket is, if the answer tells: it does when that is another region. */
  readonly bucketRegion: string | undefined;

  constructor(cause: unknown) {
    const { name, code, message, $metadata, $response } = cause as SdkError;
    const status = $metadata?.httpStatusCode;
    // Of an answer without a body, as to HEAD, the SDK knows nothing but the status.
    const told = status === undefined ? (code ?? name) : name;
    super(
      status === undefined ? `S3 did not answer: ${message || told}` : `S3 answered ${status} ${told}: ${message}`,
      {
        cause,
      },
    );
    this.name = 'S3Error';
    this.code = told;
    this.status = status;
    this.bucketRegion = $response?.headers?.['x-amz-bucket-region'];
  }
}

type SdkError = Error & {
  code?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { headers?: Record<string, string> };
};

/** What S3 answered. @throws S3Error, or the reason of the signal that ended the call */
export async function answerTo<T>(call: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await call;
  } catch (error) {
    signal?.throwIfAborted();
    throw new S3Error(error);
  }
}

/** Whether an error is S3's answer of one of these codes. */
export const isAnswer = (error: unknown, ...codes: string[]): boolean =>
  error instanceof S3Error && codes.includes(error.code);

/** Whether there was no answer at all: nobody knows then whether the call was carried out. */
export const isUnanswered = (error: unknown): boolean => error instanceof S3Error && error.status === undefined;

/**
 * Whether S3 has no room: 507 (RFC 4918) as MinIO answers, or the code of a quota as Ceph and others have it. Amazon's own
 * never is.
 */
export const isFull = (error: unknown): boolean =>
  error instanceof S3Error &&
  (error.status === 507 || isAnswer(error, 'XMinioStorageFull', 'QuotaExceeded', 'InsufficientStorage'));

/** For `.catch`: nothing instead of answers of these codes. */
export const exceptFor =
  (...codes: string[]) =>
  (error: unknown): undefined => {
    if (!isAnswer(error, ...codes)) throw error;
  };
