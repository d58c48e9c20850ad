import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeClients } from '../../../../core/storage/s3/client.ts';
import type { S3Options } from '../../../../core/storage/s3/options.ts';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore } from '../open-disturbed-store.ts';

const s3 = await s3Service();

describe.skipIf('missing' in s3)('Calls of S3', () => {
  let disturbed: DisturbedStore;
  let proxy: DisturbedStore['proxy'];
  beforeAll(async () => {
    if ('missing' in s3) return;
    disturbed = await openDisturbedStore(s3);
    proxy = disturbed.proxy;
  });
  afterEach(() => proxy?.calm());
  afterAll(() => disturbed?.close());

  const open = (changes: Partial<S3Options>) => disturbed.opened.open({ endpoint: proxy.url, ...changes });
  const begunAs = async (changes: Partial<S3Options>) => {
    const body = '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>';
    proxy.disturb('begin', { what: 'answer', status: 200, body });
    expect(await open(changes).beginUpload('key', 'application/zstd')).toEqual({ key: 'key', uploadId: 'u' });
    return proxy.seen.at(-1)!.headers;
  };

  it('name the account that must own the bucket, every one of them', async () => {
    // That of LocalStack; versitygw names accounts by their access keys.
    const owner = disturbed.opened.isLocalStack ? '000000000000' : process.env.AWS_ACCESS_KEY_ID!;
    const store = open({ expectedBucketOwner: owner });
    const before = proxy.seen.length;
    const upload = await store.beginUpload('exports/owned', 'text/csv');
    const part = await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('x')] });
    await store.completeUpload(upload, [part]);
    for await (const chunk of store.readObject(upload.key)) expect(String(chunk)).toBe('x');
    await store.statObject(upload.key);
    await store.abortUpload(upload);
    await store.listUploads();
    await store.deleteObject(upload.key);
    await store.inspect();
    const seen = proxy.seen.slice(before).filter(({ headers }) => headers.authorization);
    expect(seen.length).toBeGreaterThan(20);
    const without = seen.filter(({ headers }) => headers['x-amz-expected-bucket-owner'] !== owner);
    expect(without.map(({ call }) => call)).toEqual([]);
  });

  it('fail for the bucket of another account, where the server looks whose it is', async () => {
    const store = open({ expectedBucketOwner: '999999999999' });
    // LocalStack does not look; once it does, this says so.
    if (disturbed.opened.isLocalStack) return expect(await store.check()).toBeUndefined();
    await expect(store.check()).rejects.toThrow(/gives these credentials no access/);
    await expect(store.beginUpload('key', 'text/csv')).rejects.toMatchObject({ code: 'AccessDenied' });
  });

  it('begin an upload with the type of the file, and nothing that was not asked for', async () => {
    const headers = await begunAs({ checksum: 'none' });
    expect(headers['content-type']).toBe('application/zstd');
    expect(Object.keys(headers).filter((name) => /encryption|storage-class|checksum|owner/.test(name))).toEqual([]);
  });

  it('begin an upload with the encryption, storage class and checksum that are set', async () => {
    const headers = await begunAs({ encryption: 'aws:kms', kmsKeyId: 'alias/files', storageClass: 'STANDARD_IA' });
    expect(headers).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/files',
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-checksum-algorithm': 'CRC32',
    });
  });

  it('keep connections for the next call', async () => {
    const store = open({});
    const before = proxy.connections();
    proxy.disturb('head', { what: 'answer', status: 404 }, 5);
    for (let call = 0; call < 5; call++) await store.statObject('none');
    expect(proxy.connections() - before).toBe(1);
  });
});

describe('The region of the S3 storage', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'logferry-aws-'));
    await writeFile(join(directory, 'config'), '[default]\nregion = eu-south-2\n');
  });
  afterAll(() => rm(directory, { recursive: true }));
  afterEach(() => vi.unstubAllEnvs());

  const regionOf = async (region: string | undefined) => {
    const options = { region, idleMs: {} } as S3Options;
    const clients = makeClients(options);
    clients.close();
    return [await clients.call.config.region(), await clients.links.config.region()];
  };

  it.each([
    ['S3_REGION', 'sa-east-1', { AWS_REGION: 'eu-west-3' }, 'sa-east-1'],
    ['AWS_REGION', undefined, { AWS_REGION: 'eu-west-3' }, 'eu-west-3'],
    ['the profile', undefined, { AWS_REGION: undefined, file: 'config' }, 'eu-south-2'],
    ['us-east-1 when nothing names one', undefined, { AWS_REGION: undefined, file: 'none' }, 'us-east-1'],
  ])(
    'is that of %s',
    async (_, region, { AWS_REGION, file = 'none' }: { AWS_REGION?: string; file?: string }, found) => {
      vi.stubEnv('AWS_REGION', AWS_REGION);
      vi.stubEnv('AWS_CONFIG_FILE', join(directory, file));
      vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(directory, 'none'));
      expect(await regionOf(region)).toEqual([found, found]);
    },
  );
});
