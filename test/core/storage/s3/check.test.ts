import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { findFreePort } from '../../../../local/free-port.ts';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore } from '../open-disturbed-store.ts';

const s3 = await s3Service();

describe.skipIf('missing' in s3)('The check of the S3 storage', () => {
  let disturbed: DisturbedStore;
  let proxy: DisturbedStore['proxy'];
  beforeAll(async () => {
    if ('missing' in s3) return;
    disturbed = await openDisturbedStore(s3);
    proxy = disturbed.proxy;
  });
  afterEach(() => {
    proxy?.calm();
    vi.unstubAllEnvs();
  });
  afterAll(() => disturbed?.close());

  /** What a call answers that may have no body, and one that may. */
  const refuse = (status: number, code: string) => {
    proxy.disturb('head bucket', { what: 'answer', status });
    proxy.disturb('list uploads', { what: 'answer', status, code });
  };

  it('tries once whether parts may have a checksum, and then is one call', async () => {
    await disturbed.store.check();
    expect(await disturbed.opened.store.listUploads()).toEqual([]);
    const before = proxy.seen.length;
    await disturbed.store.check();
    expect(proxy.seen.slice(before).map(({ call }) => call)).toEqual(['head bucket']);
  });

  it('names S3_CHECKSUM when the server does not know checksums, at once, and asks again', async () => {
    const store = disturbed.opened.open({ endpoint: proxy.url });
    proxy.disturb('part', { what: 'answer', status: 501, code: 'NotImplemented' });
    await expect(store.check()).rejects.toThrow(/cannot be used: .*501.*Set S3_CHECKSUM=none/);
    expect(proxy.count('part')).toBeGreaterThan(0);
    proxy.disturb('part', { what: 'answer', status: 501, code: 'NotImplemented' });
    const upload = await store.beginUpload(`exports/${randomUUID()}`, 'text/csv');
    const part = store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('x')] });
    await expect(part).rejects.toMatchObject({ status: 501 });
    await store.abortUpload(upload);
    await store.check();
  });

  it('says that there is no such bucket', async () => {
    const none = disturbed.opened.open({ bucket: `none-${randomUUID()}` });
    await expect(none.check()).rejects.toThrow(
      /none-\S+ cannot be used: there is none of that name.*correct STORAGE_URL/,
    );
  });

  it.each([301, 400])('says which region the bucket is in, after a %i', async (status) => {
    const headers = { 'x-amz-bucket-region': 'eu-central-1' };
    proxy.disturb('head bucket', { what: 'answer', status, headers });
    await expect(disturbed.store.check()).rejects.toThrow(
      'it is in the region eu-central-1, not us-east-1. Set S3_REGION=eu-central-1.',
    );
  });

  it.each([
    ['AccessDenied', /gives these credentials no access \(AccessDenied\).*s3:ListBucketMultipartUploads/],
    ['InvalidAccessKeyId', /does not know the access key. Correct AWS_ACCESS_KEY_ID/],
    ['SignatureDoesNotMatch', /Correct AWS_SECRET_ACCESS_KEY/],
    ['ExpiredToken', /temporary credentials have expired/],
    ['RequestTimeTooSkewed', /clock of this machine is wrong/],
  ])('says what to do about %s', async (code, text) => {
    refuse(403, code);
    await expect(disturbed.store.check()).rejects.toThrow(text);
  });

  it('says that nothing listens there', async () => {
    const endpoint = `http://127.0.0.1:${await findFreePort()}`;
    const before = performance.now();
    await expect(disturbed.opened.open({ endpoint }).check()).rejects.toThrow(
      `nothing listens at ${endpoint}. Start it, or correct S3_ENDPOINT.`,
    );
    expect(performance.now() - before).toBeLessThan(2000);
  });

  it('says that there is no such host', async () => {
    const endpoint = 'http://storage.invalid';
    await expect(disturbed.opened.open({ endpoint }).check()).rejects.toThrow(/S3_ENDPOINT/);
  });

  it('says that nobody answers', async () => {
    proxy.disturb('head bucket', { what: 'black hole' });
    const { idleMs } = disturbed.opened.options;
    const store = disturbed.opened.open({ endpoint: proxy.url, idleMs: { ...idleMs, check: 200 } });
    await expect(store.check()).rejects.toThrow(/does not answer. Correct S3_ENDPOINT/);
  });

  it('says that there are no credentials', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined);
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/none');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    await expect(disturbed.opened.open().check()).rejects.toThrow(/there are no credentials. Set AWS_ACCESS_KEY_ID/);
  });

  it('gives the answer of S3 as its cause', async () => {
    refuse(403, 'AccessDenied');
    await expect(disturbed.store.check()).rejects.toMatchObject({ cause: { code: 'AccessDenied', status: 403 } });
  });
});
