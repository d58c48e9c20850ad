import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { attachment } from '../../../core/exports/content-disposition.ts';
import type { ObjectStore, PartReceipt, Upload } from '../../../core/storage/object-store.ts';
import { UploadGoneError } from '../../../core/storage/object-store.ts';

/** A store to be tested, whose links can be fetched until close(). */
export type OpenedStore = {
  store: ObjectStore;
  /**
   * Two things hold everywhere but there: LocalStack lets anybody read without any signature, and of completions at the
   * same moment it may let two through, as it looks for an object first and joins the parts then.
   */
  isLocalStack?: boolean;
  close(): Promise<void>;
};

/** S3 takes no smaller part, but for the last one. */
const partSizeBytes = 5 * 1024 * 1024;

const contentType = 'application/gzip';

/** What every maker of an ObjectStore is held to. It needs real storage and fetches links over real HTTP. */
export function objectStoreContract(name: string, makeStore: () => Promise<OpenedStore>): void {
  describe(`${name} as an object store`, () => {
    let opened: OpenedStore;
    let store: ObjectStore;
    beforeAll(async () => {
      opened = await makeStore();
      store = opened.store;
    });
    afterAll(() => opened.close());

    const begin = (key = freshKey()) => store.beginUpload(key, contentType);
    const storeText = async (key: string, text: string) => {
      const upload = await begin(key);
      const part = await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from(text)] });
      return store.completeUpload(upload, [part]);
    };
    const link = async (key: string, options: { expiresInSeconds?: number; fileName?: string } = {}) => {
      const contentDisposition = attachment(options.fileName ?? 'events.csv.gz');
      const expiresInSeconds = options.expiresInSeconds ?? 60;
      return (await store.signLink(key, { expiresInSeconds, contentType, contentDisposition })).url;
    };
    const read = async (key: string) => Buffer.from(await (await fetch(await link(key))).arrayBuffer());
    const findUpload = async (upload: Upload) =>
      (await store.listUploads()).find((u) => u.uploadId === upload.uploadId && u.key === upload.key);

    it('is ready when it checks itself', async () => {
      await expect(store.check()).resolves.toBeUndefined();
    });

    it('finds nothing that keeps it from its work when it is inspected, and leaves nothing behind', async () => {
      const findings = await store.inspect();
      expect(findings.length).toBeGreaterThan(0);
      expect(findings.filter(({ level }) => level === 'failure')).toEqual([]);
      for (const finding of findings) {
        expect(finding.text).not.toBe('');
        if (finding.level !== 'ok') expect(finding.remedy).not.toBe('');
      }
      expect(await store.listUploads()).toEqual([]);
    });

    it('joins parts that were put at the same time and out of order', async () => {
      const upload = await begin();
      const bodies = [filled(partSizeBytes, 1), filled(partSizeBytes, 2), filled(1000, 3)];
      const put = (partNumber: number, offset: number) =>
        store.putPart(upload, { partNumber, offset, body: [bodies[partNumber - 1]!] });
      const third = await put(3, 2 * partSizeBytes);
      const [second, first] = await Promise.all([put(2, partSizeBytes), put(1, 0)]);
      expect([first, second, third].map((part) => part.bytes)).toEqual([partSizeBytes, partSizeBytes, 1000]);

      const { outcome, object } = await store.completeUpload(upload, [first, second, third]);
      expect(outcome).toBe('created');
      expect(object.bytes).toBe(2 * partSizeBytes + 1000);
      expect(object.etag).toMatch(/^\S+-3$/);
      expect(sha256(await collect(store.readObject(upload.key)))).toBe(sha256(Buffer.concat(bodies)));
      expect(await store.statObject(upload.key)).toEqual(object);
      expect(sha256(await read(upload.key))).toBe(sha256(Buffer.concat(bodies)));
    });

    it('takes a part that comes in pieces', async () => {
      const upload = await begin();
      const body = Array.from({ length: 3000 }, (_, i) => Buffer.from(`row ${i}\r\n`));
      const part = await store.putPart(upload, { partNumber: 1, offset: 0, body });
      expect(part).toEqual({ partNumber: 1, etag: expect.stringMatching(/^\S+$/), bytes: Buffer.concat(body).length });
      await store.completeUpload(upload, [part]);
      expect(await read(upload.key)).toEqual(Buffer.concat(body));
    });

    it('shows nothing under the key before the upload is complete', async () => {
      const upload = await begin();
      await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('half')] });
      expect(await store.statObject(upload.key)).toBeUndefined();
      expect((await fetch(await link(upload.key))).status).toBe(404);
      await store.abortUpload(upload);
    });

    it('keeps the later of two parts with one number', async () => {
      const upload = await begin();
      await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('before')] });
      const part = await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('behind')] });
      expect((await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('behind')] })).etag).toBe(
        part.etag,
      );
      await store.completeUpload(upload, [part]);
      expect((await read(upload.key)).toString()).toBe('behind');
    });

    it('keeps nothing of a last part that was repeated shorter', async () => {
      const upload = await begin();
      const first = await store.putPart(upload, { partNumber: 1, offset: 0, body: [filled(partSizeBytes, 7)] });
      const last = (text: string) =>
        store.putPart(upload, { partNumber: 2, offset: partSizeBytes, body: [Buffer.from(text)] });
      await last('a long last part');
      const { object } = await store.completeUpload(upload, [first, await last('short')]);
      expect(object.bytes).toBe(partSizeBytes + 5);
      expect((await read(upload.key)).subarray(partSizeBytes).toString()).toBe('short');
    });

    it('leaves out a part that is not in the list', async () => {
      const upload = await begin();
      const first = await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('kept')] });
      await store.putPart(upload, { partNumber: 2, offset: 4, body: [Buffer.from('dropped')] });
      await store.completeUpload(upload, [first]);
      expect((await read(upload.key)).toString()).toBe('kept');
    });

    it('makes an empty object of one empty part', async () => {
      const upload = await begin();
      const part = await store.putPart(upload, { partNumber: 1, offset: 0, body: [] });
      expect(part).toEqual({ partNumber: 1, etag: expect.stringMatching(/^\S+$/), bytes: 0 });
      const { object } = await store.completeUpload(upload, [part]);
      expect(object.bytes).toBe(0);
      expect(await store.statObject(upload.key)).toEqual(object);
      expect(await read(upload.key)).toHaveLength(0);
    });

    it('refuses to complete an upload without any part', async () => {
      const upload = await begin();
      await expect(store.completeUpload(upload, [])).rejects.toThrow();
      expect(await store.statObject(upload.key)).toBeUndefined();
      await store.abortUpload(upload);
    });

    it('gives the same object when an upload is completed twice', async () => {
      const upload = await begin();
      const part = await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('once')] });
      const first = await store.completeUpload(upload, [part]);
      const second = await store.completeUpload(upload, [part]);
      expect(second.object).toEqual(first.object);
      expect(await store.statObject(upload.key)).toEqual(first.object);
    });

    it('keeps what stands when a second upload completes under the same key', async () => {
      const key = freshKey();
      const { object } = await storeText(key, 'old bytes');
      expect(await storeText(key, 'newer bytes')).toEqual({ outcome: 'exists', object });
      expect((await read(key)).toString()).toBe('old bytes');
    });

    it('creates one object of many uploads that complete under one key at the same time', async () => {
      const key = freshKey();
      const texts = ['a', 'bb', 'ccc', 'dddd', 'eeeee'];
      const results = await Promise.all(texts.map((text) => storeText(key, text)));
      const winners = texts.filter((_, i) => results[i]!.outcome === 'created');
      expect(winners).toContain((await read(key)).toString());
      if (opened.isLocalStack) return;
      expect(winners).toHaveLength(1);
      for (const result of results) expect(result.object).toEqual(await store.statObject(key));
    });

    it('throws UploadGoneError for a part or a completion after an abort', async () => {
      const upload = await begin();
      const part: PartReceipt = await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('x')] });
      await store.abortUpload(upload);
      const late = store.putPart(upload, { partNumber: 2, offset: 1, body: [Buffer.from('y')] });
      await expect(late).rejects.toBeInstanceOf(UploadGoneError);
      await expect(store.completeUpload(upload, [part])).rejects.toBeInstanceOf(UploadGoneError);
      expect(await store.statObject(upload.key)).toBeUndefined();
    });

    it('throws UploadGoneError for a part after the completion, and the object stays as it is', async () => {
      const upload = await begin();
      const part = await store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('done')] });
      await store.completeUpload(upload, [part]);
      const late = store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('late')] });
      await expect(late).rejects.toBeInstanceOf(UploadGoneError);
      expect((await read(upload.key)).toString()).toBe('done');
    });

    it('is quiet about an abort of what was aborted or completed', async () => {
      const aborted = await begin();
      await store.abortUpload(aborted);
      await expect(store.abortUpload(aborted)).resolves.toBeUndefined();
      const completed = await begin();
      const part = await store.putPart(completed, { partNumber: 1, offset: 0, body: [Buffer.from('stays')] });
      await store.completeUpload(completed, [part]);
      await expect(store.abortUpload(completed)).resolves.toBeUndefined();
      expect((await read(completed.key)).toString()).toBe('stays');
    });

    it('lists the uploads that were begun before a moment and have not ended', async () => {
      const [open, aborted, completed] = [await begin(), await begin(), await begin()];
      await store.abortUpload(aborted);
      const part = await store.putPart(completed, { partNumber: 1, offset: 0, body: [] });
      await store.completeUpload(completed, [part]);
      const begunAt = (await findUpload(open))?.begunAt.getTime();
      expect(begunAt).toBeGreaterThan(Date.now() - 60_000);
      expect(begunAt).toBeLessThan(Date.now() + 60_000);
      expect(await findUpload(aborted)).toBeUndefined();
      expect(await findUpload(completed)).toBeUndefined();
      await store.abortUpload(open);
    });

    it('lists every object below a folder once, page by page, with its time, and goes on behind a key', async () => {
      const folder = `exports/${randomUUID()}/`;
      const keys = ['a/events.csv', 'a/events.csv.gz', 'b/events.csv', 'b/inner/events.csv', 'c/events.json'].map(
        (name) => folder + name,
      );
      for (const key of [keys[3]!, keys[0]!, keys[4]!, keys[1]!, keys[2]!]) await storeText(key, key);
      await storeText(`log/${randomUUID()}/0`, 'of somebody else');
      const open = await begin(`${folder}d/events.csv`);
      const list = (options = {}) => collectPages(store.listObjects(folder, options));
      const listed = (await list()).flat();
      expect(listed.map(({ key }) => key)).toEqual(keys);
      for (const { modifiedAt } of listed) expect(Math.abs(modifiedAt.getTime() - Date.now())).toBeLessThan(60_000);
      const pages = await list({ pageSize: 2 });
      expect(pages.every((page) => page.length <= 2)).toBe(true);
      expect(pages.flat()).toEqual(listed);
      for (const [i, after] of keys.entries()) expect((await list({ after })).flat()).toEqual(listed.slice(i + 1));
      await store.deleteObject(keys[2]!);
      expect((await list({ after: keys[2] })).flat()).toEqual(listed.slice(3));
      await store.abortUpload(open);
      expect((await collectPages(store.listObjects(`exports/${randomUUID()}/`))).flat()).toEqual([]);
    });

    it('ends a call by the reason of its signal', async () => {
      const reason = new Error('ended before it began');
      const options = { signal: AbortSignal.abort(reason) };
      const upload = await begin();
      const text = { partNumber: 1, offset: 0, body: [Buffer.from('unwanted')] };
      await expect(store.putPart(upload, text, options)).rejects.toBe(reason);
      const part = await store.putPart(upload, text);
      await expect(store.completeUpload(upload, [part], options)).rejects.toBe(reason);
      expect(await store.statObject(upload.key)).toBeUndefined();
      await store.completeUpload(upload, [part]);
      await expect(collect(store.readObject(upload.key, options))).rejects.toSatisfy(
        (error: Error) => error === reason || error.cause === reason,
      );
    });

    it('forgets a deleted object, whose key can then be used again', async () => {
      const key = freshKey();
      await storeText(key, 'gone');
      const url = await link(key);
      await store.deleteObject(key);
      expect(await store.statObject(key)).toBeUndefined();
      expect((await fetch(url)).status).toBe(404);
      await expect(store.deleteObject(key)).resolves.toBeUndefined();
      expect((await storeText(key, 'back')).outcome).toBe('created');
    });

    it('deletes nothing but the object of exactly that key', async () => {
      const folder = `exports/${randomUUID()}`;
      await storeText(`${folder}/file.csv`, 'one');
      await storeText(`${folder}/file.csv.gz`, 'two');
      await store.deleteObject(folder);
      await store.deleteObject(`${folder}/file.csv`);
      expect((await read(`${folder}/file.csv.gz`)).toString()).toBe('two');
    });

    it('gives a link that shows the type and the UTF-8 name it was signed for, and no content encoding', async () => {
      const key = freshKey();
      await storeText(key, 'named');
      const fileName = 'Größe "März"; 100% 🚢.csv.gz';
      const response = await fetch(await link(key, { fileName }));
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(contentType);
      expect(response.headers.get('content-disposition')).toBe(attachment(fileName));
      expect(response.headers.get('content-encoding')).toBeNull();
      expect(response.headers.get('etag')).toBe(`"${(await store.statObject(key))!.etag}"`);
      expect(await response.text()).toBe('named');
    });

    it('makes and replaces a small text at once, and gives what was written last', async () => {
      const key = `log/${randomUUID()}/checkpoint`;
      expect(await store.readText(key)).toBeUndefined();
      await store.writeText(key, 'a note – first');
      expect(await store.readText(key)).toBe('a note – first');
      const texts = Array.from({ length: 20 }, (_, at) => `${at} `.repeat(100 + at));
      await Promise.all(texts.map((text) => store.writeText(key, text)));
      expect(texts).toContain(await store.readText(key));
      await store.writeText(key, 'last');
      expect(await store.readText(key)).toBe('last');
      expect((await store.statObject(key))!.bytes).toBe(4);
      await store.deleteObject(key);
      expect(await store.readText(key)).toBeUndefined();
      await store.writeText(key, 'again');
      expect((await collect(store.readObject(key))).toString()).toBe('again');
    });

    it('ends reading and writing a text early when told so', async () => {
      const options = { signal: AbortSignal.abort(new Error('not now')) };
      await expect(store.readText('log/x', options)).rejects.toThrow('not now');
      await expect(store.writeText('log/x', 'text', options)).rejects.toThrow('not now');
      expect(await store.readText('log/x')).toBeUndefined();
    });

    it('says when a link expires', async () => {
      const options = { expiresInSeconds: 900, contentType, contentDisposition: attachment('a.csv') };
      const { expiresAt } = await store.signLink(freshKey(), options);
      expect(Math.abs(expiresAt.getTime() - minutesFromNow(15).getTime())).toBeLessThan(2000);
    });

    it('refuses a link whose key, expiry, name or signature was changed', async () => {
      const [key, other] = [freshKey(), freshKey()];
      await storeText(key, 'mine');
      await storeText(other, 'not mine');
      const url = await link(key);
      const spoilt = [
        url.replace(key, other),
        withParameter(url, /expires$/i, (value) => String(Number(value) + 1)),
        withParameter(url, /disposition$/i, (value) => `${value}x`),
        withParameter(url, /signature$/i, (value) => value.slice(0, -2) + (value.endsWith('aa') ? 'bb' : 'aa')),
        ...(opened.isLocalStack ? [] : [url.replace(/\?.*/, '')]),
      ];
      expect((await fetch(url)).status).toBe(200);
      for (const one of spoilt) expect([one, (await fetch(one)).status]).toEqual([one, 403]);
    });

    it('refuses a link that has expired', async () => {
      const key = freshKey();
      await storeText(key, 'late');
      const url = await link(key, { expiresInSeconds: 1 });
      await vi.waitFor(async () => expect((await fetch(url)).status).toBe(403), { timeout: 5000, interval: 100 });
    });
  });
}

const freshKey = () => `exports/${randomUUID()}/${randomUUID()}/file.csv.gz`;
const filled = (bytes: number, seed: number) => Buffer.alloc(bytes, `${seed}:${'abcdefghijklm'.slice(seed)}`);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const minutesFromNow = (minutes: number) => new Date(Date.now() + minutes * 60_000);

async function collectPages<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) all.push(page);
  return all;
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

function withParameter(url: string, name: RegExp, change: (value: string) => string): string {
  const changed = new URL(url);
  const found = [...changed.searchParams].filter(([key]) => name.test(key));
  expect(found).toHaveLength(1);
  changed.searchParams.set(found[0]![0], change(found[0]![1]));
  return changed.href;
}
