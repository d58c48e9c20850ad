import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore } from '../open-disturbed-store.ts';

const s3 = await s3Service();

describe.skipIf('missing' in s3)('A link to an object of S3', () => {
  let disturbed: DisturbedStore;
  let store: DisturbedStore['store'];
  beforeAll(async () => {
    if ('missing' in s3) return;
    disturbed = await openDisturbedStore(s3);
    store = disturbed.opened.open({ publicEndpoint: disturbed.proxy.url });
  });
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => disturbed?.close());

  const sign = (expiresInSeconds: number, key = `exports/${randomUUID()}`, from = store) =>
    from.signLink(key, {
      expiresInSeconds,
      contentType: 'text/csv',
      contentDisposition: 'attachment; filename="a.csv"',
    });
  const leftSeconds = ({ expiresAt }: { expiresAt: Date }) => (expiresAt.getTime() - Date.now()) / 1000;
  const signedSeconds = ({ url }: { url: string }) => Number(new URL(url).searchParams.get('X-Amz-Expires'));
  /** Temporary credentials, as the AWS SDK finds them in the environment. */
  const expireIn = (seconds: number) => {
    vi.stubEnv('AWS_SESSION_TOKEN', 'token');
    vi.stubEnv('AWS_CREDENTIAL_EXPIRATION', new Date(Date.now() + seconds * 1000).toISOString());
    return disturbed.opened.open();
  };

  it('points to where clients reach the storage, and works there', async () => {
    const upload = await disturbed.begin();
    await disturbed.store.completeUpload(upload, [await disturbed.putText(upload, 'from outside')]);
    const { url } = await sign(60, upload.key);
    expect(new URL(url).origin).toBe(disturbed.proxy.url);
    const reply = await fetch(url);
    expect([reply.status, await reply.text()]).toEqual([200, 'from outside']);
    const part = await fetch(url, { headers: { Range: 'bytes=5-11' } });
    expect([part.status, await part.text()]).toEqual([206, 'outside']);
  });

  it.each([
    [{}, /^https:\/\/files-of-ours\.s3\.eu-central-1\.amazonaws\.com\/some\/prefix\/key\?/],
    [{ forcePathStyle: true }, /^https:\/\/s3\.eu-central-1\.amazonaws\.com\/files-of-ours\/some\/prefix\/key\?/],
    [{ bucket: 'dotted.name' }, /^https:\/\/s3\.eu-central-1\.amazonaws\.com\/dotted\.name\/some\/prefix\/key\?/],
  ])('points to Amazon when no endpoint is set: %j', async (changes, expected) => {
    const amazon = { endpoint: undefined, region: 'eu-central-1', bucket: 'files-of-ours', forcePathStyle: false };
    const { url } = await sign(60, 'key', disturbed.opened.open({ ...amazon, ...changes }));
    expect(url).toMatch(expected);
  });

  it('is signed for HEAD alone when that is asked for', async () => {
    const upload = await disturbed.begin();
    await disturbed.store.completeUpload(upload, [await disturbed.putText(upload, 'measured')]);
    const { url } = await disturbed.store.signLink(upload.key, {
      expiresInSeconds: 60,
      contentType: 'text/csv',
      contentDisposition: 'attachment',
      method: 'HEAD',
    });
    const reply = await fetch(url, { method: 'HEAD' });
    expect([reply.status, reply.headers.get('content-length')]).toEqual([200, '8']);
    expect((await fetch(url)).status).toBe(403);
  });

  it('asks for no checksum, which some servers refuse', async () => {
    const { url } = await sign(60);
    expect([...new URL(url).searchParams.keys()].filter((name) => /checksum/i.test(name))).toEqual([]);
  });

  it('names the account that must own the bucket', async () => {
    const owned = disturbed.opened.open({ expectedBucketOwner: '000000000000' });
    const { url } = await sign(60, 'exports/owned', owned);
    expect(new URL(url).search.toLowerCase()).toContain('x-amz-expected-bucket-owner=000000000000');
  });

  it('lives as long as asked, to the second', async () => {
    const link = await sign(900);
    expect(signedSeconds(link)).toBe(900);
    expect(leftSeconds(link)).toBeLessThanOrEqual(900);
    expect(leftSeconds(link)).toBeGreaterThan(897);
  });

  it('lives for a week at most', async () => {
    const link = await sign(8_000_000);
    expect(signedSeconds(link)).toBe(604_800);
    expect(leftSeconds(link)).toBeLessThanOrEqual(604_800);
  });

  it('never lives longer than the credentials that sign it', async () => {
    const link = await sign(7200, 'exports/short', expireIn(3600));
    expect(signedSeconds(link)).toBeLessThanOrEqual(3600);
    expect(signedSeconds(link)).toBeGreaterThan(3500);
    expect(leftSeconds(link)).toBeLessThanOrEqual(3600);
    expect(new URL(link.url).searchParams.get('X-Amz-Security-Token')).toBe('token');
  });

  it('lives as long as asked when the credentials live longer', async () => {
    expect(signedSeconds(await sign(900, 'exports/long', expireIn(3600)))).toBe(900);
  });
});
