import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Upload, UploadGoneError } from '../../../../core/storage/object-store.ts';
import { isFull } from '../../../../core/storage/s3/errors.ts';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore, timeToEnd } from '../open-disturbed-store.ts';

const s3 = await s3Service();

const mebibyte = 2 ** 20;
const pieces = Array.from({ length: 32 }, () => randomBytes(mebibyte / 4));
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe.skipIf('missing' in s3)('A part for S3', () => {
  let disturbed: DisturbedStore;
  beforeAll(async () => {
    if (!('missing' in s3)) disturbed = await openDisturbedStore(s3);
  });
  afterEach(() => disturbed?.proxy.calm());
  afterAll(() => disturbed?.close());

  const put = (upload: Upload, options: { signal?: AbortSignal } = {}, store = disturbed.store) =>
    store.putPart(upload, { partNumber: 1, offset: 0, body: pieces }, options);
  /** Puts all pieces as one part, completes, and expects to find them. */
  const storeWhole = async (store = disturbed.store) => {
    const upload = await disturbed.begin();
    const part = await put(upload, {}, store);
    expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
    const stored = await buffer(disturbed.opened.store.readObject(upload.key));
    expect(sha256(stored)).toBe(sha256(Buffer.concat(pieces)));
  };
  const answer = (status: number, code: string) => ({ what: 'answer', status, code }) as const;

  it.each([
    ['connections that break in the middle of it', { what: 'reset', afterBytes: 3 * mebibyte }],
    ['a lost reply', { what: 'lose reply' }],
    ['a server that asks to slow down', answer(503, 'SlowDown')],
    ['an internal error', answer(500, 'InternalError')],
    ['a page of a gateway', { what: 'answer', status: 502, body: '<html>Bad Gateway</html>' }],
    ['a byte that was broken on the way', { what: 'flip', byte: 5 * mebibyte }],
  ] as const)('is sent again after %s', async (_, disturbance) => {
    const before = disturbed.proxy.count('part');
    disturbed.proxy.disturb('part', disturbance, 2);
    await storeWhole();
    expect(disturbed.proxy.count('part') - before).toBe(3);
  });

  it.each([
    ['MinIO', answer(507, 'XMinioStorageFull')],
    ['Ceph', answer(403, 'QuotaExceeded')],
  ])('is not sent again to a server that has no room, as %s says it', async (_, disturbance) => {
    const upload = await disturbed.begin();
    const before = disturbed.proxy.count('part');
    disturbed.proxy.disturb('part', disturbance);
    const error = await put(upload).catch((failure) => failure);
    expect(isFull(error)).toBe(true);
    expect(disturbed.proxy.count('part') - before).toBe(1);
    await disturbed.store.abortUpload(upload);
  });

  it('is never stored with a broken byte', async () => {
    disturbed.proxy.disturb('part', { what: 'flip', byte: 4 * mebibyte }, 100);
    const upload = await disturbed.begin();
    await expect(put(upload)).rejects.toMatchObject({ code: 'BadDigest', status: 400 });
    expect(await disturbed.partsOf(upload)).toEqual([]);
    await disturbed.store.abortUpload(upload);
  });

  it('takes as long as a slow server needs, which may be longer than a silent one is waited for', async () => {
    const { opened, proxy } = disturbed;
    const idleMs = { ...opened.options.idleMs, data: 2500 };
    const upload = await disturbed.begin();
    // Large enough that most of it cannot hide in the buffers of the kernel, which are silent while they drain.
    const body = Array.from({ length: 4 }, () => pieces).flat();
    proxy.disturb('part', { what: 'throttle', bytesPerSecond: 8 * mebibyte });
    const before = { count: proxy.count('part'), time: performance.now() };
    await opened.open({ endpoint: proxy.url, idleMs }).putPart(upload, { partNumber: 1, offset: 0, body });
    expect(performance.now() - before.time).toBeGreaterThan(idleMs.data);
    expect(proxy.count('part') - before.count).toBe(1);
    await opened.store.abortUpload(upload);
  });

  it('gives a silent server up in the end', async () => {
    const { opened, proxy } = disturbed;
    proxy.disturb('part', { what: 'black hole' }, 100);
    const store = opened.open({ endpoint: proxy.url, idleMs: { ...opened.options.idleMs, data: 200 } });
    const upload = await disturbed.begin();
    await expect(put(upload, {}, store)).rejects.toMatchObject({ code: 'TimeoutError', status: undefined });
    await store.abortUpload(upload);
  });

  it.each([
    ['while a silent server is waited for', { what: 'black hole' }],
    ['while it is on its way', { what: 'throttle', bytesPerSecond: mebibyte }],
    ['while it waits to be sent again', { what: 'answer', status: 503, code: 'SlowDown', early: true }],
  ] as const)('ends at once by its signal %s', async (_, disturbance) => {
    disturbed.proxy.disturb('part', disturbance, 100);
    const upload = await disturbed.begin();
    expect(await timeToEnd((signal) => put(upload, { signal }), disturbed.proxy.next('part'))).toBeLessThan(1000);
    await disturbed.store.abortUpload(upload);
  });

  it('does not begin when its signal has ended it before', async () => {
    const upload = await disturbed.begin();
    const before = disturbed.proxy.count('part');
    await expect(put(upload, { signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow('too late');
    expect(disturbed.proxy.count('part')).toBe(before);
    await disturbed.store.abortUpload(upload);
  });

  it('finds its upload gone though the server closes the connection over it', async () => {
    const upload = await disturbed.begin();
    await disturbed.store.abortUpload(upload);
    disturbed.proxy.disturb('part', { what: 'reset', afterBytes: 1 }, 100);
    await expect(put(upload)).rejects.toBeInstanceOf(UploadGoneError);
  });

  it('fails as it did when its upload is still there', async () => {
    const upload = await disturbed.begin();
    disturbed.proxy.disturb('part', { what: 'reset', afterBytes: 1 }, 100);
    await expect(put(upload)).rejects.toMatchObject({ name: 'S3Error', status: undefined });
    expect(await disturbed.partsOf(upload)).toEqual([]);
    await disturbed.store.abortUpload(upload);
  });

  it('goes with its CRC32, and nothing else is computed of it', async () => {
    await storeWhole();
    const { headers } = disturbed.proxy.seen.findLast(({ call }) => call === 'part')!;
    expect(headers).toMatchObject({
      'x-amz-checksum-crc32': expect.stringMatching(/^[A-Za-z0-9+/]{6}==$/),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'content-length': String(8 * mebibyte),
    });
    expect(headers.expect).toBeUndefined();
  });

  it('goes without any checksum where S3_CHECKSUM is none, but over http with its SHA-256 in the signature', async () => {
    const { opened, proxy } = disturbed;
    const before = proxy.seen.length;
    const store = opened.open({ endpoint: proxy.url, checksum: 'none' });
    const upload = await store.beginUpload('exports/unchecked', 'text/csv');
    const part = await put(upload, {}, store);
    expect(part.etag).toMatch(/^[0-9a-f]{32}$/);
    expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
    const seen = proxy.seen.slice(before);
    const names = seen.flatMap(({ headers }) => Object.keys(headers));
    expect(names.filter((name) => /checksum/.test(name))).toEqual([]);
    const { headers } = seen.find(({ call }) => call === 'part')!;
    expect(headers['x-amz-content-sha256']).toBe(sha256(Buffer.concat(pieces)));
  });

  it('gives up an upload that was begun with another S3_CHECKSUM, so that the export begins again', async () => {
    const upload = await disturbed.begin();
    const other = disturbed.opened.open({ checksum: 'none' });
    await expect(put(upload, {}, other)).rejects.toBeInstanceOf(UploadGoneError);
    await expect(disturbed.partsOf(upload)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });
});
