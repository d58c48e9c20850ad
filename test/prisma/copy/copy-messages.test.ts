import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { takeCopyData } from '../../../prisma/copy/copy-messages.ts';

/** A message as PostgreSQL sends it. */
function message(type: string, body: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([header, body]);
}

const body = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.integer({ min: 0, max: 3_000 }).map((length) => new Uint8Array(length).fill(0x5a)),
);
const row = body.map((bytes) => ({ type: 'd', bytes }));
const other = fc.record({ type: fc.constantFrom('H', 'N', 'S', 'c', 'C'), bytes: body });
const statement = fc.array(fc.oneof({ weight: 5, arbitrary: row }, other), { maxLength: 30 });
/** How many bytes come at a time. */
const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 5_000 })), { minLength: 1 });

it('gives each row to one listener and all else to the others, whole and in order, however the bytes come', () => {
  fc.assert(
    fc.property(statement, statement, cuts, (first, second, sizes) => {
      const stream = new PassThrough();
      const parsed: Buffer[] = [];
      const parser = (bytes: Buffer) => void parsed.push(Buffer.from(bytes));
      stream.on('data', parser);
      const rows: string[] = [];
      takeCopyData(stream, ({ bytes, from, to }) => rows.push(bytes.toString('hex', from, to)));

      const ready = { type: 'Z', bytes: Buffer.from('I') };
      // What follows is the parser's again, rows of the next statement too.
      const sent = [...first, ready, ...second];
      const bytes = Buffer.concat(sent.map((each) => message(each.type, each.bytes)));
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length]!;
        // The very bytes, of which nothing may be kept: the next ones take their place.
        const lent = Buffer.from(bytes.subarray(at, at + size));
        stream.emit('data', lent);
        if (stream.listeners('data')[0] !== parser) lent.fill(0xff);
        at += size;
      }

      const hex = (each: { bytes: Uint8Array }) => Buffer.from(each.bytes).toString('hex');
      expect(rows).toEqual(first.filter(({ type }) => type === 'd').map(hex));
      const rest = [...first.filter(({ type }) => type !== 'd'), ready, ...second];
      expect(Buffer.concat(parsed).equals(Buffer.concat(rest.map((each) => message(each.type, each.bytes))))).toBe(
        true,
      );
      expect(stream.listeners('data')).toEqual([parser]);
    }),
    { numRuns: 500 },
  );
});
