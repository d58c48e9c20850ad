import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeClients } from '../../../../core/storage/s3/client.ts';
import { listUploads } from '../../../../core/storage/s3/uploads.ts';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore } from '../open-disturbed-store.ts';

const s3 = await s3Service();

describe.skipIf('missing' in s3)('Uploads to S3', () => {
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

  it('are listed page after page, those of other prefixes left out', async () => {
    const { begin, opened } = disturbed;
    const upload = [await begin('a'), await begin('a'), await begin('b'), await begin('c/d'), await begin('e')];
    const neighbours = opened.open({ prefix: 'some/prefix-of-others/' });
    const foreign = await neighbours.beginUpload('a', 'text/csv');
    const clients = makeClients(opened.options);
    const listed = await listUploads({ clients, options: opened.options }, 2);
    clients.close();
    const names = (uploads: { key: string; uploadId: string }[]) => uploads.map((u) => `${u.key} ${u.uploadId}`).sort();
    expect(names(listed)).toEqual(names(upload));
    expect(names(await neighbours.listUploads())).toEqual(names([foreign]));
    for (const each of upload) await store.abortUpload(each);
    await neighbours.abortUpload(foreign);
    expect(await store.listUploads()).toEqual([]);
  });

  it('are found in a bucket that is used without a prefix', async () => {
    const bare = disturbed.opened.open({ prefix: '' });
    const upload = await bare.beginUpload('exports/bare', 'text/csv');
    expect(await bare.listUploads()).toEqual([{ ...upload, begunAt: expect.any(Date) }]);
    expect(await store.listUploads()).toEqual([]);
    await bare.abortUpload(upload);
  });

  it('are found by the sweep when the answer to the first begin was lost', async () => {
    proxy.disturb('begin', { what: 'lose reply' });
    const upload = await disturbed.begin();
    const listed = await store.listUploads();
    expect(listed).toHaveLength(2);
    expect(listed.map(({ uploadId }) => uploadId)).toContain(upload.uploadId);
    for (const each of listed) await store.abortUpload(each);
  });

  it('are aborted again as long as parts come in', async () => {
    const upload = await disturbed.begin();
    const before = proxy.count('abort');
    proxy.disturb('list parts', { what: 'answer', status: 200, body: '<ListPartsResult/>' }, 2);
    await store.abortUpload(upload);
    expect(proxy.count('abort') - before).toBe(3);
  });

  it('are not said to be aborted when parts do not cease to come in', async () => {
    const upload = await disturbed.begin();
    proxy.disturb('list parts', { what: 'answer', status: 200, body: '<ListPartsResult/>' }, 100);
    await expect(store.abortUpload(upload)).rejects.toThrow('go on coming in');
  });

  it('are aborted once by those who may not look at them', async () => {
    const upload = await disturbed.begin();
    const before = proxy.count('abort');
    proxy.disturb('list parts', { what: 'answer', status: 403, code: 'AccessDenied' }, 100);
    await store.abortUpload(upload);
    expect(proxy.count('abort') - before).toBe(1);
  });

  it('leave nothing when they are aborted while a part is on its way and, as the sweep does, once more', async () => {
    for (let round = 0; round < 5; round++) {
      const upload = await disturbed.begin();
      proxy.disturb('part', { what: 'throttle', bytesPerSecond: 20_000_000 });
      const reached = proxy.next('part');
      const body = [Buffer.alloc(4_000_000, round)];
      // versitygw takes the part and has the upload again, though it said that it was gone.
      const putting = store.putPart(upload, { partNumber: 1, offset: 0, body }).catch((error) => error);
      await reached;
      await store.abortUpload(upload);
      await putting;
      await store.abortUpload(upload);
      await expect(disturbed.partsOf(upload)).rejects.toMatchObject({ name: 'NoSuchUpload' });
    }
    expect(await store.listUploads()).toEqual([]);
  });
});
