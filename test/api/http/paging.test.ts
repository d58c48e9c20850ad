import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeCursor, encodeCursor, pageOf, readPage, refuseUnknownQuery } from '../../../api/http/paging.ts';

describe('Paging', () => {
  it('gives back the position that a cursor was made of', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (position) => {
        const plain = JSON.parse(JSON.stringify(position));
        expect(decodeCursor(z.unknown(), encodeCursor(plain))).toEqual(plain);
      }),
    );
  });

  it('reads no cursor that is not text of its own making', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => decodeCursor(z.strictObject({ id: z.uuid() }), text)).toThrow('cursor: is not a cursor');
      }),
    );
  });

  it('takes 25 entries when nothing is said', () => {
    expect(readPage({})).toEqual({ limit: 25, cursor: undefined });
    expect(readPage({ limit: '100', cursor: 'abc' })).toEqual({ limit: 100, cursor: 'abc' });
  });

  it('says that there is more only when a row is left over', () => {
    const position = (n: number) => ({ n });
    expect(pageOf([], 2, position)).toEqual({ data: [], meta: { next_cursor: null, has_more: false } });
    expect(pageOf([1, 2], 2, position)).toEqual({ data: [1, 2], meta: { next_cursor: null, has_more: false } });
    const { data, meta } = pageOf([1, 2, 3], 2, position);
    expect(data).toEqual([1, 2]);
    expect(meta.has_more).toBe(true);
    expect(decodeCursor(z.unknown(), meta.next_cursor!)).toEqual({ n: 2 });
  });

  it('names every unknown parameter with the nearest known one', () => {
    const refused = () => refuseUnknownQuery({ limt: '1', limit: '2', zzz: '' }, ['limit', 'cursor']);
    expect(refused).toThrow(/limt: unknown parameter "limt", did you mean "limit"\?.*; zzz: unknown parameter/);
  });
});
