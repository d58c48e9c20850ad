import { type Config, ConfigError } from '../../config.ts';

/** A bucket, or a part of one, and how to reach and fill it. What is undefined is left to the AWS SDK or the bucket. */
export type S3Options = {
  bucket: string;
  /** Stands before every key: empty, or ends with a slash. */
  prefix: string;
  endpoint: string | undefined;
  /** The endpoint as those see it who follow links. */
  publicEndpoint: string | undefined;
  region: string | undefined;
  forcePathStyle: boolean;
  checksum: 'crc32' | 'none';
  encryption: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined;
  kmsKeyId: string | undefined;
  storageClass: string | undefined;
  expectedBucketOwner: string | undefined;
  /** Connections that are kept open while nothing is sent: as many as there are parts under way. */
  keptConnections: number;
  /** How long files must be left alone by the bucket's own rules. */
  exportTtlSeconds: number;
  /** How long a silent server is waited for, by what it was asked for. */
  idleMs: typeof idleMs;
};

/**
 * Only silence counts: a part of 64 MiB that goes at 1 MB/s is sent in a minute and is not late. But what the buffers of
 * both kernels hold, some 10 MB, counts as sent: at 200 kB/s there is silence for 50 seconds until the reply. Completing
 * joins the parts, which takes some servers minutes in which they say nothing. check() is asked every few seconds and is
 * better wrong than late.
 */
const idleMs = { check: 5_000, call: 15_000, data: 60_000, completion: 300_000 };

/** The least size of a part that is not the last one, by Amazon's limits (docs.aws.amazon.com, "qfacts"). */
const leastPartMib = 5;

/** Reads s3://bucket/prefix and all that belongs to it. @throws ConfigError with all mistakes */
export function readS3Options(config: Config): S3Options {
  const { bucket, prefix, mistakes } = readAddress(config.storageUrl);
  if (config.LOGFERRY_PART_MIB < leastPartMib) {
    mistakes.push(`LOGFERRY_PART_MIB must be at least ${leastPartMib} with s3://: S3 takes no smaller parts`);
  }
  if (config.S3_KMS_KEY_ID && !config.S3_SSE?.startsWith('aws:kms')) {
    mistakes.push('S3_KMS_KEY_ID needs S3_SSE=aws:kms or S3_SSE=aws:kms:dsse');
  }
  if (/^(GLACIER|DEEP_ARCHIVE)$/.test(config.S3_STORAGE_CLASS ?? '')) {
    mistakes.push(`S3_STORAGE_CLASS: files in ${config.S3_STORAGE_CLASS} cannot be downloaded; GLACIER_IR can`);
  }
  for (const name of ['S3_ENDPOINT', 'S3_PUBLIC_ENDPOINT'] as const) {
    if (config[name] && /[?#@]/.test(config[name])) mistakes.push(`${name} must have no user, query or fragment`);
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return {
    bucket,
    prefix,
    endpoint: config.S3_ENDPOINT,
    publicEndpoint: config.S3_PUBLIC_ENDPOINT,
    region: config.S3_REGION,
    forcePathStyle: config.S3_FORCE_PATH_STYLE,
    checksum: config.S3_CHECKSUM,
    encryption: config.S3_SSE,
    kmsKeyId: config.S3_KMS_KEY_ID,
    storageClass: config.S3_STORAGE_CLASS,
    expectedBucketOwner: config.S3_EXPECTED_BUCKET_OWNER,
    keptConnections: config.LOGFERRY_EXPORT_CONCURRENCY * config.LOGFERRY_PARTS_IN_FLIGHT,
    exportTtlSeconds: config.EXPORT_TTL,
    idleMs,
  };
}

/** Bytes that a prefix may have: a key has 1024 at most, and ours add some 150. */
const longestPrefix = 512;

function readAddress(storageUrl: string): { bucket: string; prefix: string; mistakes: string[] } {
  const url = new URL(storageUrl);
  const mistakes: string[] = [];
  const refuse = (text: string) => mistakes.push(`STORAGE_URL ${text}, as in s3://bucket/prefix`);
  if (url.username || url.password) refuse('must hold no user: credentials come as for every AWS tool (AWS_…)');
  if (url.port) refuse('must hold no port: set S3_ENDPOINT to reach another server');
  if (url.search || url.hash) refuse('must have no query and no fragment: settings have variables of their own (S3_…)');
  if (!isBucketName(url.hostname)) {
    refuse(`must name a bucket of 3 to 63 lower-case letters, digits, dots and hyphens, not "${url.hostname}"`);
  }
  const path = decode(url.pathname)?.replace(/^\/+|\/+$/g, '');
  const segments = path?.split('/') ?? [];
  if (path === undefined || /[\p{Cc}\\]/u.test(path) || Buffer.byteLength(path) > longestPrefix) {
    refuse(`must have a prefix of at most ${longestPrefix} bytes, without control characters and backslashes`);
  } else if (path !== '' && segments.some((segment) => ['', '.', '..'].includes(segment))) {
    refuse('must have a prefix without empty and dotted folders');
  }
  return { bucket: url.hostname, prefix: path ? `${path}/` : '', mistakes };
}

/** By docs.aws.amazon.com, "bucketnamingrules", as far as other servers keep to it. */
const isBucketName = (name: string): boolean =>
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..') && !/^\d+\.\d+\.\d+\.\d+$/.test(name);

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
