import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../../core/config.ts';
import { openStore } from '../../../core/storage/open-store.ts';

const open = (environment: Record<string, string>) => openStore(readConfig(environment), [randomBytes(32)]);
const originOf = async (environment: Record<string, string>) => {
  const store = open(environment);
  const options = { expiresInSeconds: 60, contentType: 'text/csv', contentDisposition: 'attachment' };
  const { url } = await store.signLink('exports/key', options);
  await store.close();
  return url.replace(/\?.*/, '');
};

describe('The storage that the configuration names', () => {
  it('is a folder, served by the API, when nothing is set', async () => {
    expect(await originOf({})).toBe('http://127.0.0.1:3000/files/exports/key');
  });

  it('is a bucket for s3://', async () => {
    process.env.AWS_ACCESS_KEY_ID = 'test';
    process.env.AWS_SECRET_ACCESS_KEY = 'test';
    const environment = {
      STORAGE_URL: 's3://bucket/prefix',
      S3_ENDPOINT: 'http://127.0.0.1:1',
      S3_FORCE_PATH_STYLE: '1',
    };
    expect(await originOf(environment)).toBe('http://127.0.0.1:1/bucket/prefix/exports/key');
  });

  it('is refused when parts are too small for S3', () => {
    expect(() => open({ STORAGE_URL: 's3://bucket', LOGFERRY_PART_MIB: '4' })).toThrow(ConfigError);
    expect(() => open({ LOGFERRY_PART_MIB: '4' })).not.toThrow();
  });
});
