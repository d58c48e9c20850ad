import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../../../core/config.ts';
import { openFileStore } from '../../../../core/storage/file/open-file.ts';
import type { ObjectStore, Upload } from '../../../../core/storage/object-store.ts';
import { UploadGoneError } from '../../../../core/storage/object-store.ts';
import { openStore } from '../../../../core/storage/open-store.ts';
import { StoreFullError } from '../../../../core/storage/store-full.ts';
import { judgeFailure } from '../../../../worker/retry-policy.ts';
import { serveFiles } from '../../../api/serve-files.ts';
import { objectStoreContract } from '../object-store-contract.ts';

objectStoreContract('The file storage', serveFiles);

describe('The file storage on disk', () => {
  let served: Awaited<ReturnType<typeof serveFiles>>;
  let store: ObjectStore;
  beforeAll(async () => {
    served = await serveFiles();
    store = served.store;
  });
  afterAll(() => served.close());

  const freshKey = () => `exports/${randomUUID()}/${randomUUID()}/file.csv`;
  const uploadPath = (upload: Upload, ...names: string[]) =>
    join(served.directory, 'uploads', upload.uploadId, ...names);
  const objectPath = (key: string, ...names: string[]) => join(served.directory, 'objects', `${key}.object`, ...names);
  const put = (upload: Upload, text: string) =>
    store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from(text)] });
  const begunWith = async (text: string) => {
    const upload = await store.beginUpload(freshKey(), 'text/csv');
    return { upload, part: await put(upload, text) };
  };

  it('lets no other user of the machine read anything', async () => {
    const { upload, part } = await begunWith('secret');
    const modes = async (path: string): Promise<number[]> => {
      const entries = await readdir(path, { recursive: true, withFileTypes: true });
      return Promise.all(entries.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).mode & 0o077));
    };
    expect(new Set(await modes(served.directory))).toEqual(new Set([0]));
    await store.completeUpload(upload, [part]);
    expect(new Set(await modes(served.directory))).toEqual(new Set([0]));
  });

  it.runIf(process.platform === 'linux')(
    'says that the disk is full, and gives up no more than that upload',
    async () => {
      const full = openStore(readConfig({ STORAGE_URL: pathToFileURL(served.directory).href }), [randomBytes(32)]);
      const upload = await full.beginUpload(freshKey(), 'text/csv');
      // What is written there fails with ENOSPC.
      await rm(uploadPath(upload, 'content'));
      await symlink('/dev/full', uploadPath(upload, 'content'));
      const part = { partNumber: 1, offset: 0, body: [Buffer.from('text')] };
      const error = await full.putPart(upload, part).catch((failure) => failure);
      expect(error).toBeInstanceOf(StoreFullError);
      expect(judgeFailure(error, 0)).toMatchObject({ outcome: 'failed', error: { code: 'storage_full' } });
      await full.abortUpload(upload);
      await expect(stat(uploadPath(upload))).rejects.toMatchObject({ code: 'ENOENT' });
      await begunWith('another');
      await full.close();
    },
  );

  describe('a completion that was killed', () => {
    it('can be called again when it was killed between the etag and the move', async () => {
      const { upload, part } = await begunWith('sealed');
      await writeFile(uploadPath(upload, 'object.json'), JSON.stringify({ etag: 'of an earlier try' }));
      const { outcome, object } = await store.completeUpload(upload, [part]);
      expect(outcome).toBe('created');
      expect(object.etag).toMatch(/^[0-9a-f]{32}-1$/);
      expect(await store.statObject(upload.key)).toEqual(object);
    });

    it('can be called again when it was killed while it wrote the etag', async () => {
      const { upload, part } = await begunWith('half an etag');
      await writeFile(uploadPath(upload, `object.json.${randomUUID()}`), '{"et');
      expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
    });

    it('can be called again when it was killed between making the folder of the key and the move', async () => {
      const { upload, part } = await begunWith('folders first');
      await mkdir(objectPath(upload.key), { recursive: true });
      expect(await store.statObject(upload.key)).toBeUndefined();
      expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
    });

    it('can be called again from another process after the move', async () => {
      const { upload, part } = await begunWith('moved');
      const { object } = await store.completeUpload(upload, [part]);
      const other = openFileStore(served);
      expect(await other.completeUpload(upload, [part])).toEqual({ outcome: 'exists', object });
    });

    it('is settled by one winner when an abort comes at the same time', async () => {
      for (let round = 0; round < 20; round++) {
        const { upload, part } = await begunWith(`round ${round}`);
        const [completed] = await Promise.allSettled([store.completeUpload(upload, [part]), store.abortUpload(upload)]);
        const standing = await store.statObject(upload.key);
        if (completed.status === 'fulfilled') expect(completed.value.object).toEqual(standing);
        else {
          expect(completed.reason).toBeInstanceOf(UploadGoneError);
          expect(standing).toBeUndefined();
        }
      }
    });

    it('never publishes fewer bytes than the receipts say', async () => {
      const { upload, part } = await begunWith('seven b');
      const more = { partNumber: 2, etag: part.etag, bytes: 1 };
      await expect(store.completeUpload(upload, [part, more])).rejects.toThrow('has 7 bytes, but its parts make 8');
      expect(await store.statObject(upload.key)).toBeUndefined();
      expect((await store.completeUpload(upload, [part])).outcome).toBe('created');
    });

    it('refuses parts that are not in ascending order', async () => {
      const { upload, part } = await begunWith('twice');
      await expect(store.completeUpload(upload, [part, part])).rejects.toThrow('ascending order');
      await store.abortUpload(upload);
    });
  });

  it('goes on with an upload in another process', async () => {
    const { upload, part } = await begunWith('first,');
    const other = openFileStore(served);
    const second = await other.putPart(upload, { partNumber: 2, offset: 6, body: [Buffer.from('second')] });
    await other.completeUpload(upload, [part, second]);
    expect(await readFile(objectPath(upload.key, 'content'), 'utf8')).toBe('first,second');
  });

  it('leaves nothing behind of uploads and objects that are gone', async () => {
    const { upload, part } = await begunWith('x');
    await store.completeUpload(upload, [part]);
    await store.deleteObject(upload.key);
    const aborted = await begunWith('y');
    await store.abortUpload(aborted.upload);
    const taken = await begunWith('z');
    await store.completeUpload(taken.upload, [taken.part]);
    const second = await store.beginUpload(taken.upload.key, 'text/csv');
    await store.completeUpload(second, [await put(second, 'zz')]);

    const tenant = upload.key.split('/')[1]!;
    expect(await readdir(join(served.directory, 'objects', 'exports'))).not.toContain(tenant);
    const uploads = await readdir(join(served.directory, 'uploads'));
    for (const gone of [upload, aborted.upload, taken.upload, second]) expect(uploads).not.toContain(gone.uploadId);
    expect(await readdir(join(served.directory, 'trash'))).toEqual([]);
  });

  it('keeps a neighbour that completes while the folder of the other is deleted', async () => {
    for (let round = 0; round < 20; round++) {
      const folder = `exports/${randomUUID()}`;
      const text = { partNumber: 1, offset: 0, body: [Buffer.from('n')] };
      const [old, next] = [
        await store.beginUpload(`${folder}/old`, 'text/csv'),
        await store.beginUpload(`${folder}/next`, 'text/csv'),
      ];
      await store.completeUpload(old, [await store.putPart(old, text)]);
      const part = await store.putPart(next, text);
      await Promise.all([store.deleteObject(old.key), store.completeUpload(next, [part])]);
      expect((await store.statObject(next.key))?.bytes).toBe(1);
    }
  });

  it('deletes many neighbours at the same time', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => `neighbours/${i % 4}/${i}`);
    for (const key of keys) {
      const upload = await store.beginUpload(key, 'text/csv');
      await store.completeUpload(upload, [await put(upload, 'n')]);
    }
    await Promise.all([...keys, ...keys].map((key) => store.deleteObject(key)));
    expect(await readdir(join(served.directory, 'objects'))).not.toContain('neighbours');
  });

  it('clears away, when uploads are listed, what a killed begin or removal left', async () => {
    const halfBegun = randomUUID();
    await mkdir(join(served.directory, 'uploads', halfBegun), { recursive: true });
    const hourAgo = new Date(Date.now() - 3_700_000);
    await utimes(join(served.directory, 'uploads', halfBegun), hourAgo, hourAgo);
    await mkdir(join(served.directory, 'trash', randomUUID(), 'deep'), { recursive: true });

    const listed = await store.listUploads();
    expect(listed.map((upload) => upload.uploadId)).not.toContain(halfBegun);
    expect(await readdir(join(served.directory, 'uploads'))).not.toContain(halfBegun);
    expect(await readdir(join(served.directory, 'trash'))).toEqual([]);
  });

  it.each([
    '',
    '/etc/passwd',
    '..',
    '../outside',
    'exports/../../outside',
    'exports/./file',
    'exports//file',
    'exports/',
    'exports\\..\\file',
    'nul\0byte',
    'line\nbreak',
    `exports/${'x'.repeat(300)}`,
    'lone\ud800surrogate',
    'a.object/content',
  ])('refuses the key %j', async (key) => {
    const options = { expiresInSeconds: 60, contentType: 'text/csv', contentDisposition: 'attachment' };
    await expect(store.beginUpload(key, 'text/csv')).rejects.toThrow(TypeError);
    await expect(store.statObject(key)).rejects.toThrow(TypeError);
    await expect(store.deleteObject(key)).rejects.toThrow(TypeError);
    await expect(store.signLink(key, options)).rejects.toThrow(TypeError);
  });

  it('treats an upload id that is a path as an upload that is gone', async () => {
    const { upload, part } = await begunWith('stays');
    const hostile = { key: freshKey(), uploadId: `../uploads/${upload.uploadId}` };
    await expect(store.completeUpload(hostile, [part])).rejects.toBeInstanceOf(UploadGoneError);
    await expect(store.putPart(hostile, { partNumber: 1, offset: 0, body: [] })).rejects.toBeInstanceOf(
      UploadGoneError,
    );
    await expect(store.abortUpload(hostile)).resolves.toBeUndefined();
    await store.abortUpload(upload);
  });

  it('keeps the objects of a key and of a key below it apart', async () => {
    const [outer, inner] = [await store.beginUpload('shelf', 'a/b'), await store.beginUpload('shelf/book', 'a/b')];
    await store.completeUpload(outer, [await put(outer, 'outer')]);
    await store.completeUpload(inner, [await put(inner, 'inner')]);
    await store.deleteObject('shelf');
    expect((await store.statObject('shelf/book'))?.bytes).toBe(5);
  });

  it('says what to remedy when it cannot write', async () => {
    const file = join(served.directory, 'a-file');
    await writeFile(file, '');
    const blocked = openFileStore({ directory: join(file, 'below'), publicUrl: 'http://x', linkKey: randomBytes(32) });
    await expect(blocked.check()).rejects.toThrow(/a file stands where a folder is needed.*STORAGE_URL/);
    await rm(file);
  });

  it('leaves no probe behind when it checks itself', async () => {
    await store.check();
    expect((await readdir(served.directory)).filter((name) => name.startsWith('probe'))).toEqual([]);
  });
});
