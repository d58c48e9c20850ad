import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../../../core/config.ts';
import { readS3Options } from '../../../../core/storage/s3/options.ts';

const read = (environment: Record<string, string>) =>
  readS3Options(readConfig({ STORAGE_URL: 's3://bucket', ...environment }));
const mistakeOf = (environment: Record<string, string>): string => {
  try {
    read(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('No mistake was found');
};

describe('The options of the S3 storage', () => {
  it.each([
    ['s3://bucket', 'bucket', ''],
    ['s3://bucket/', 'bucket', ''],
    ['s3://my-bucket.example/prefix', 'my-bucket.example', 'prefix/'],
    ['s3://bucket/a/b/', 'bucket', 'a/b/'],
    ['s3://bucket/Gr%C3%B6%C3%9Fe%20x', 'bucket', 'Größe x/'],
  ])('are read from %s', (STORAGE_URL, bucket, prefix) => {
    expect(read({ STORAGE_URL })).toMatchObject({ bucket, prefix });
  });

  it('are those of Amazon when nothing else is set', () => {
    expect(read({})).toMatchObject({
      endpoint: undefined,
      publicEndpoint: undefined,
      region: undefined,
      forcePathStyle: false,
      checksum: 'crc32',
      encryption: undefined,
      exportTtlSeconds: 604_800,
    });
  });

  it.each([
    ['s3://Bucket/x', /must name a bucket of 3 to 63 lower-case letters.*"Bucket"/],
    ['s3://my_bucket', /must name a bucket/],
    ['s3://ab', /must name a bucket/],
    ['s3://a..b', /must name a bucket/],
    ['s3://127.0.0.1/x', /must name a bucket/],
    ['s3:///prefix', /must name a bucket/],
    ['s3://user:word@bucket', /must hold no user: credentials come as for every AWS tool/],
    ['s3://bucket:9000/x', /must hold no port: set S3_ENDPOINT/],
    ['s3://bucket/x?region=eu', /must have no query and no fragment/],
    ['s3://bucket/x#y', /must have no query and no fragment/],
    ['s3://bucket/a//b', /without empty and dotted folders/],
    ['s3://bucket/a/%2E%2E%2Fb', /without empty and dotted folders/],
    ['s3://bucket/%00', /without control characters/],
    ['s3://bucket/%zz', /without control characters/],
    [`s3://bucket/${'x'.repeat(513)}`, /at most 512 bytes/],
  ])('are refused for %s', (STORAGE_URL, mistake) => {
    expect(mistakeOf({ STORAGE_URL })).toMatch(mistake);
  });

  it.each([
    [{ LOGFERRY_PART_MIB: '4' }, 'LOGFERRY_PART_MIB must be at least 5 with s3://: S3 takes no smaller parts'],
    [{ S3_KMS_KEY_ID: 'alias/x', S3_SSE: 'AES256' }, 'S3_KMS_KEY_ID needs S3_SSE=aws:kms or S3_SSE=aws:kms:dsse'],
    [{ S3_STORAGE_CLASS: 'DEEP_ARCHIVE' }, 'files in DEEP_ARCHIVE cannot be downloaded'],
    [{ S3_ENDPOINT: 'http://user@host' }, 'S3_ENDPOINT must have no user, query or fragment'],
    [{ S3_PUBLIC_ENDPOINT: 'https://host?x=1' }, 'S3_PUBLIC_ENDPOINT must have no user, query or fragment'],
  ])('are refused for %j', (environment, mistake) => {
    expect(mistakeOf(environment)).toContain(mistake);
  });

  it('are refused with all mistakes at once', () => {
    const message = mistakeOf({ STORAGE_URL: 's3://B:1/x', LOGFERRY_PART_MIB: '1' });
    expect(message.split('\n')).toHaveLength(3);
  });
});
