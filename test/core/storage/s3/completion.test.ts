import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PartReceipt, UploadGoneError } from '../../../../core/storage/object-store.ts';
import { etagOf } from '../../../../core/storage/s3/completion.ts';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore, timeToEnd } from '../open-disturbed-store.ts';

const s3 = await s3Service();

describe.skipIf('missing' in s3)('Completing an upload in S3', () => {
  let disturbed: DisturbedStore;
  let proxy: DisturbedStore['proxy'];
  let store: DisturbedStore['store'];
  beforeAll(async () => {
    if ('missing' in s3) return;
    disturbed = await openDisturbedStore(s3);
    ({ proxy, store } = disturbed);
  });
  afterEach(() => proxy?.calm());
  afterAll(() => disturbed?.close());

  const begun = async (text: string, key?: string) => {
    const upload = await disturbed.begin(key);
    return { upload, part: await disturbed.putText(upload, text) };
  };
  const error = (status: number, code: string) => ({ what: 'answer', status, code }) as const;

  it('is created, each of twenty times, though the reply was lost', async () => {
    for (let round = 0; round < 20; round++) {
      proxy.disturb('complete', { what: 'lose reply' });
      const { upload, part } = await begun(`round ${round}`);
      const { outcome, object } = await store.completeUpload(upload, [part]);
      expect(outcome).toBe('created');
      expect(object).toEqual(await store.statObject(upload.key));
    }
  });

  it('is created again by the same parts, and exists for others', async () => {
    const { upload, part } = await begun('once');
    const { object } = await store.completeUpload(upload, [part]);
    expect(await store.completeUpload(upload, [part])).toEqual({ outcome: 'created', object });
    const other = await begun('other', upload.key);
    expect(await store.completeUpload(other.upload, [other.part])).toEqual({ outcome: 'exists', object });
    await store.abortUpload(other.upload);
    expect(await store.completeUpload(other.upload, [other.part])).toEqual({ outcome: 'exists', object });
  });

  it('exists when the object has the same bytes in other parts', async () => {
    const [first, second] = [Buffer.alloc(5 * 2 ** 20, 'a'), Buffer.from('b')];
    const whole = await store.beginUpload(`exports/${randomUUID()}`, 'text/csv');
    const part = await store.putPart(whole, { partNumber: 1, offset: 0, body: [first, second] });
    const { object } = await store.completeUpload(whole, [part]);
    const cut = await store.beginUpload(whole.key, 'text/csv');
    const parts = [
      await store.putPart(cut, { partNumber: 1, offset: 0, body: [first] }),
      await store.putPart(cut, { partNumber: 2, offset: first.length, body: [second] }),
    ];
    expect(await store.completeUpload(cut, parts)).toEqual({ outcome: 'exists', object });
    await store.abortUpload(cut);
  });

  it('is done again after a 200 that holds an error', async () => {
    proxy.disturb('complete', { what: 'answer', status: 200, code: 'InternalError' });
    const { upload, part } = await begun('200 is not all');
    expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
  });

  it('is created when every later try fails but the first has done it', async () => {
    const { upload, part } = await begun('done unheard');
    proxy.disturb('complete', { what: 'lose reply' });
    proxy.disturb('complete', error(500, 'InternalError'), 10);
    expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
  });

  it('fails with what S3 said when nothing stands under the key, and may be called again then', async () => {
    const { upload, part } = await begun('later');
    proxy.disturb('complete', error(500, 'InternalError'), 10);
    await expect(store.completeUpload(upload, [part])).rejects.toMatchObject({ code: 'InternalError', status: 500 });
    proxy.calm();
    expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
  });

  it('is tried again after a conflict', async () => {
    const { upload, part } = await begun('conflicts');
    proxy.disturb('complete', error(409, 'ConditionalRequestConflict'), 2);
    expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
  });

  it('gives the upload up when conflicts do not end, as Amazon asks', async () => {
    const { upload, part } = await begun('conflict');
    proxy.disturb('complete', error(409, 'ConditionalRequestConflict'), 100);
    await expect(store.completeUpload(upload, [part])).rejects.toBeInstanceOf(UploadGoneError);
    await expect(disturbed.partsOf(upload)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  it.each([
    ['a part that was replaced', { etag: 'd41d8cd98f00b204e9800998ecf8427e;crc32=AAAAAA==' }],
    ['a part that is not there', { partNumber: 7 }],
  ])('gives the upload up over %s, so that the export begins again', async (_, change: Partial<PartReceipt>) => {
    const { upload, part } = await begun('mine');
    await expect(store.completeUpload(upload, [{ ...part, ...change }])).rejects.toBeInstanceOf(UploadGoneError);
    await expect(disturbed.partsOf(upload)).rejects.toMatchObject({ name: 'NoSuchUpload' });
    expect(await store.statObject(upload.key)).toBeUndefined();
  });

  it.each([
    [501, 'NotImplemented'],
    [400, 'InvalidArgument'],
    [412, 'PreconditionFailed'],
  ])(
    'goes without the condition where nothing stands under the key and the server answers %i %s',
    async (status, code) => {
      const { upload, part } = await begun('unconditional');
      proxy.disturb('complete', error(status, code));
      const before = proxy.seen.length;
      expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
      const calls = proxy.seen.slice(before).filter(({ call }) => call === 'complete');
      expect(calls.map(({ headers }) => headers['if-none-match'])).toEqual(['*', undefined]);
    },
  );

  it('ends at once by its signal', async () => {
    const { upload, part } = await begun('waited for');
    proxy.disturb('complete', { what: 'black hole' });
    const complete = (signal: AbortSignal) => store.completeUpload(upload, [part], { signal });
    expect(await timeToEnd(complete, proxy.next('complete'))).toBeLessThan(1000);
    await store.abortUpload(upload);
  });
});

describe('The etag of an object of parts', () => {
  const part = (etag: string): PartReceipt => ({ partNumber: 1, etag, bytes: 1 });

  it('is the MD5 of the MD5s of the parts, and their number', () => {
    // printf '%s' 900150983cd24fb0d6963f7d28e17f72 0cc175b9c0f1b6a831c399e269772661 | xxd -r -p | md5sum
    const parts = [part('900150983cd24fb0d6963f7d28e17f72;crc32=NSRBwg=='), part('0cc175b9c0f1b6a831c399e269772661')];
    expect(etagOf(parts)).toBe('5a97ffff06ef635f37d1459628ab50ee-2');
  });

  it('is not known when a part has an etag that is no MD5', () => {
    expect(etagOf([part('900150983cd24fb0d6963f7d28e17f72'), part('of-another-kind')])).toBeUndefined();
  });
});
