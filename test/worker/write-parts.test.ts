import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { endOfFile } from '../../core/exports/frame-rows.ts';
import type { PartReceipt } from '../../core/storage/object-store.ts';
import type { Checkpoint } from '../../prisma/exports/runs.ts';
import { writeParts } from '../../worker/write-parts.ts';

describe('writeParts', () => {
  const upload = { key: 'k', uploadId: 'u' };
  const block = (text: string, row: number) => ({
    bytes: Buffer.from(text),
    rows: 1,
    position: { after: null, rows: row },
  });
  async function* blocksOf(texts: string[], firstRow = 1) {
    for (const [i, text] of texts.entries()) yield block(text, firstRow + i);
  }

  /** Keeps parts in memory; `release` lets the part of that number be acknowledged. */
  function slowStore() {
    const waiting = new Map<number, () => void>();
    const begun: number[] = [];
    return {
      begun,
      release: (partNumber: number) => waiting.get(partNumber)!(),
      putPart: (_: unknown, { partNumber, body }: { partNumber: number; body: Buffer[] }) =>
        new Promise<PartReceipt>((resolve) => {
          begun.push(partNumber);
          waiting.set(partNumber, () =>
            resolve({ partNumber, etag: `e${partNumber}`, bytes: Buffer.concat(body).length }),
          );
        }),
    };
  }

  const plan = { firstPartBytes: 4, maxParts: 100 };
  const limits = { plan, partsInFlight: 2, bytesInFlight: 100, signal: new AbortController().signal };
  const write = (blocks: AsyncIterable<ReturnType<typeof block>>, more: object) => {
    const saved: Checkpoint[] = [];
    const store = {
      putPart: async (_: unknown, { partNumber, body }: { partNumber: number; body: Buffer[] }) => ({
        partNumber,
        etag: 'e',
        bytes: Buffer.concat(body).length,
      }),
    };
    const options = { store, upload, written: [], ...limits, onProgress: () => {}, reserve: async () => {}, ...more };
    const file = writeParts(blocks, { ...options, saveCheckpoint: async (checkpoint) => void saved.push(checkpoint) });
    return { file, saved };
  };

  it('saves a checkpoint only once all parts before it are stored, too', async () => {
    const store = slowStore();
    const { file, saved } = write(blocksOf(['aaaa', 'bbbb', 'cc']), { store });
    await expect.poll(() => store.begun).toEqual([1, 2]);
    store.release(2);
    expect(saved).toEqual([]);
    store.release(1);
    await expect.poll(() => store.begun).toEqual([1, 2, 3]);
    store.release(3);
    await file;
    expect(saved.map(({ part, rows, position }) => [part.partNumber, rows, position])).toEqual([
      [1, 1, { after: null, rows: 1 }],
      [2, 2, { after: null, rows: 2 }],
      [3, 3, endOfFile],
    ]);
  });

  it('gives buffers back once their part is stored, and none of a part that failed', async () => {
    const returned: string[] = [];
    async function* lentBlocks() {
      for (const text of ['aaaa', 'bbbb', 'cccc']) {
        yield { ...block(text, 1), giveBack: () => void returned.push(text) };
      }
    }
    const store = slowStore();
    const { file } = write(lentBlocks(), { store });
    await expect.poll(() => store.begun).toEqual([1, 2]);
    expect(returned).toEqual([]);
    store.release(2);
    await expect.poll(() => returned).toEqual(['bbbb']);
    store.release(1);
    await expect.poll(() => store.begun).toEqual([1, 2, 3]);
    store.release(3);
    await file;
    expect(returned).toEqual(['bbbb', 'aaaa', 'cccc']);

    returned.length = 0;
    const broken = { putPart: () => Promise.reject(new Error('broken')) };
    await expect(write(lentBlocks(), { store: broken }).file).rejects.toThrow('broken');
    expect(returned).toEqual([]);
  });

  it('counts and numbers on from the checkpoints, and leaves the hash to whoever reads the file back', async () => {
    const written: Checkpoint[] = [
      {
        part: { partNumber: 1, etag: 'e', bytes: 4 },
        rows: 1,
        neutralizedCells: 0,
        position: { after: null, rows: 1 },
      },
    ];
    const { file } = write(blocksOf(['bbbb'], 2), { written });
    expect(await file).toMatchObject({
      rows: 2,
      bytes: 8,
      sha256: undefined,
      parts: [{ partNumber: 1 }, { partNumber: 2, bytes: 4 }],
    });
  });

  it('gives the SHA-256 of all bytes when it has written them all', async () => {
    const { file } = write(blocksOf(['aaaa', 'b']), {});
    expect((await file).sha256).toBe(createHash('sha256').update('aaaab').digest('hex'));
  });

  it('makes one empty part of nothing', async () => {
    const { file } = write(blocksOf([]), {});
    expect((await file).parts).toEqual([{ partNumber: 1, etag: 'e', bytes: 0 }]);
  });

  it('waits for every part under way before it fails', async () => {
    const store = slowStore();
    async function* broken() {
      yield block('aaaa', 1);
      throw new Error('no more rows');
    }
    const { file } = write(broken(), { store });
    let failed = false;
    const failure = file.catch((error: Error) => {
      failed = true;
      return error.message;
    });
    await expect.poll(() => store.begun).toEqual([1]);
    expect(failed).toBe(false);
    store.release(1);
    expect(await failure).toBe('no more rows');
  });

  it('saves what was under way when there are no more rows to be had, up to the first part that is not stored', async () => {
    const store = slowStore();
    async function* broken() {
      for (const row of [1, 2, 3, 4]) yield block('aaaa', row);
      throw new Error('handed back');
    }
    const putPart: typeof store.putPart = (upload, part) =>
      part.partNumber === 3 ? Promise.reject(new Error('refused')) : store.putPart(upload, part);
    const { file, saved } = write(broken(), { store: { putPart }, partsInFlight: 9 });
    await expect.poll(() => store.begun).toEqual([1, 2, 4]);
    for (const part of [4, 2, 1]) store.release(part);
    await expect(file).rejects.toThrow('handed back');
    expect(saved.map(({ part }) => part.partNumber)).toEqual([1, 2]);
  });

  it('has no more bytes under way than it may, but one part at least', async () => {
    const store = slowStore();
    const { file } = write(blocksOf(['aaaa', 'bbbb', 'cccc', 'd'.repeat(50)]), {
      store,
      partsInFlight: 9,
      bytesInFlight: 9,
    });
    await expect.poll(() => store.begun).toEqual([1, 2]);
    store.release(1);
    await expect.poll(() => store.begun).toEqual([1, 2, 3]);
    store.release(2);
    store.release(3);
    await expect.poll(() => store.begun).toEqual([1, 2, 3, 4]);
    store.release(4);
    expect((await file).parts.map(({ bytes }) => bytes)).toEqual([4, 4, 4, 50]);
  });

  it('fails for good when the file needs more parts than there may be', async () => {
    const plan = { firstPartBytes: 1, maxParts: 10 };
    const { file } = write(blocksOf(Array.from({ length: 11 }, () => 'x'.repeat(600))), { plan });
    await expect(file).rejects.toMatchObject({ name: 'FinalError', code: 'file_too_large' });
  });
});
