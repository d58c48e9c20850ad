import { randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore, timeToEnd } from '../open-disturbed-store.ts';

const s3 = await s3Service();
const bytes = randomBytes(6_000_000);

describe.skipIf('missing' in s3)('Reading an object of S3', () => {
  let disturbed: DisturbedStore;
  let key: string;
  beforeAll(async () => {
    if ('missing' in s3) return;
    disturbed = await openDisturbedStore(s3);
    key = await stored();
  });
  afterEach(() => disturbed?.proxy.calm());
  afterAll(() => disturbed?.close());

  const stored = async () => {
    const { begin, store } = disturbed;
    const upload = await begin();
    const part = await store.putPart(upload, { partNumber: 1, offset: 0, body: [bytes] });
    await store.completeUpload(upload, [part]);
    return upload.key;
  };
  const read = async () => buffer(disturbed.store.readObject(key));
  const rangesSince = (before: number) =>
    disturbed.proxy.seen.slice(before).flatMap(({ call, headers }) => (call === 'get' ? [headers.range] : []));

  it('goes on where the connection broke, as often as that happens', async () => {
    const before = disturbed.proxy.seen.length;
    disturbed.proxy.disturb('get', { what: 'cut reply', afterBytes: 1_000_000 }, 8);
    expect((await read()).equals(bytes)).toBe(true);
    const ranges = rangesSince(before);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.length).toBeGreaterThanOrEqual(6);
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it('begins again when nothing had come before the connection broke', async () => {
    disturbed.proxy.disturb('get', { what: 'cut reply', afterBytes: 0 }, 2);
    expect((await read()).equals(bytes)).toBe(true);
  });

  it('fails when connection after connection brings nothing', async () => {
    disturbed.proxy.disturb('get', { what: 'cut reply', afterBytes: 0 }, 100);
    await expect(read()).rejects.toMatchObject({ name: 'S3Error' });
  });

  it('fails when there is another object by the time it goes on', async () => {
    const { opened, proxy, store } = disturbed;
    const other = await stored();
    proxy.disturb('get', { what: 'cut reply', afterBytes: 100_000 });
    const reading = store.readObject(other)[Symbol.asyncIterator]();
    await reading.next();
    const place = { Bucket: opened.bucket, Key: opened.options.prefix + other };
    await opened.client.send(new PutObjectCommand({ ...place, Body: randomBytes(6_000_000) }));
    const rest = async () => {
      while (!(await reading.next()).done);
    };
    await expect(rest()).rejects.toMatchObject({ status: 412 });
  });

  it('fails when there is none', async () => {
    const reading = buffer(disturbed.store.readObject(`exports/${randomUUID()}`));
    await expect(reading).rejects.toMatchObject({ code: 'NoSuchKey', status: 404 });
  });

  it.each([
    ['before anything has come', { what: 'black hole' }],
    ['in the middle of it', { what: 'throttle', bytesPerSecond: 500_000 }],
    ['while it waits to go on', { what: 'cut reply', afterBytes: 0 }],
  ] as const)('ends at once by its signal %s', async (_, disturbance) => {
    disturbed.proxy.disturb('get', disturbance, 100);
    const all = (signal: AbortSignal) => buffer(disturbed.store.readObject(key, { signal }));
    expect(await timeToEnd(all, disturbed.proxy.next('get'))).toBeLessThan(1000);
  });

  it('closes the connection of a reader who stops early', async () => {
    disturbed.proxy.disturb('get', { what: 'throttle', bytesPerSecond: 100_000 });
    for await (const chunk of disturbed.store.readObject(key)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    await expect.poll(() => disturbed.proxy.openExchanges()).toBe(0);
  });
});
