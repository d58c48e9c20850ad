import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compartments } from '../../core/evidence/compartments.ts';
import { wholeEventJson } from '../../prisma/sql/event-json.ts';
import { arbitraryEvent } from '../core/events/arbitrary-event.ts';
import { erasable, eraseCompartments } from '../prisma/erase-compartments.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../prisma/event-database.ts';
import {
  blocks,
  checksSignatures,
  directory,
  documentText,
  file,
  type Outcome,
  programs,
  removePrograms,
} from './verify-programs.ts';

let events: EventDatabase;
beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(async () => {
  await events.close();
  removePrograms();
});

/** All of a tenant's events as an NDJSON file has them. */
async function linesOf(tenant: string): Promise<string[]> {
  const rows = await events.sql<{ line: string }>(
    `select ${wholeEventJson} as line from events where tenant_id = $1 order by sequence_number`,
    [tenant],
  );
  return rows.map((row) => row.line);
}

/** How many hostile events and tamperings are tried; the variables ask for more, such as 10000 and 500. */
const tried = {
  events: Number(process.env.LOGFERRY_TEST_EVENTS ?? 300),
  tamperings: Number(process.env.LOGFERRY_TEST_TAMPERINGS ?? 24),
};

const sha256 = (...parts: (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** The root of RFC 6962 section 2.1, as it is defined. */
function treeRoot(entries: readonly Buffer[]): Buffer {
  if (entries.length === 1) return sha256(Buffer.of(0), entries[0]!);
  let left = 1;
  while (2 * left < entries.length) left *= 2;
  return sha256(Buffer.of(1), treeRoot(entries.slice(0, left)), treeRoot(entries.slice(left)));
}

describe('docs/verify.md', () => {
  const lines = blocks('ndjson')[0]!.trim().split('\n');
  const prose = documentText.replace(blocks('ndjson')[0]!, '');
  const shows = (...figures: string[]) => {
    for (const figure of figures) expect(prose).toContain(`\`${figure}\``);
  };

  it('has an example of which every figure is right', () => {
    let previous: Buffer = Buffer.alloc(32);
    const hashes: Buffer[] = [];
    for (const line of lines) {
      const event = JSON.parse(line);
      const { actor, proof } = event;
      const target = event.target ?? { type: null, id: null, meta: null };
      const texts = [
        {
          ...{ action: event.action, id: event.id, occurred_at: event.occurred_at, received_at: event.received_at },
          ...{ severity: event.severity, target_type: target.type },
        },
        { id: actor.id, type: actor.type },
        { email: actor.email, meta: actor.meta, name: actor.name },
        event.context,
        { id: target.id, meta: target.meta },
        { description: event.description, diff: event.diff, metadata: event.metadata },
      ].map((part) => canonicalize(part)!);
      const seed = Buffer.from(proof.seed ?? '', 'base64url');
      const salts = Buffer.concat(
        [0, 1].map((half) => createHash('sha512').update(Buffer.of(half)).update(seed).digest()),
      );
      const saltOf = (k: number) =>
        proof.seed ? salts.subarray(16 * k, 16 * k + 16) : Buffer.from(proof.salts[compartments[k]!], 'hex');
      const commitments = texts.map((text, k) => {
        const erased = proof.erased?.[compartments[k]!];
        return erased ? Buffer.from(erased, 'hex') : sha256(Buffer.of(0x10 + k), saltOf(k), text);
      });
      const number = Buffer.alloc(8);
      number.writeBigUInt64BE(BigInt(event.sequence_number));
      const digest = sha256(Buffer.of(0x20), ...commitments);
      expect(event.previous_hash).toBe(hexOf(previous));
      previous = sha256(Buffer.of(0x30), previous, number, digest);
      expect(event.hash).toBe(hexOf(previous));
      hashes.push(previous);
      shows(hexOf(digest), hexOf(number), event.hash);
      if (event.sequence_number > 1) continue;
      expect(blocks('json')[0]!.trim().split('\n')).toEqual(texts);
      shows(hexOf(seed), hexOf(salts.subarray(0, 64)), hexOf(salts.subarray(64)));
      for (const [k, commitment] of commitments.entries())
        expect(prose).toContain(
          `| ${k} | \`${compartments[k]}\` | \`${hexOf(saltOf(k))}\` | \`${hexOf(commitment)}\` |`,
        );
    }
    const root = treeRoot(hashes);
    shows(...hashes.map((hash) => hexOf(sha256(Buffer.of(0), hash))), hexOf(treeRoot(hashes.slice(0, 2))));
    shows(hexOf(root), root.toString('base64'));
  });

  it('has two programs of at most 80 lines', () => {
    for (const language of ['python', 'js']) {
      expect(blocks(language)).toHaveLength(1);
      expect(blocks(language)[0]!.trimEnd().split('\n').length).toBeLessThanOrEqual(80);
    }
  });
});

describe.each(programs)('the %s program of docs/verify.md', (name, check, skipped) => {
  const test = it.skipIf(skipped);
  const withoutGap = (first: number, last: number, hash: string) =>
    `${last - first + 1} events intact, ${first} to ${last} without a gap, the last hash is ${hash}\n`;

  test('finds the example of the document to hold, and says what of it is not proven', async () => {
    const { status, text } = await check(file('example.ndjson', blocks('ndjson')[0]!));
    expect(text).toMatch(
      /^3 events intact, 1 to 3 without a gap.*\nnot proven, as erased or redacted: (context person|person context)\n$/,
    );
    expect(status).toBe(0);
  });

  test('finds a file of any events to hold: in any order, from a later number, as JSON, packed, erased', async () => {
    const tenant = await events.newTenant();
    const given = fc.sample(arbitraryEvent, tried.events).map((value) => newEvent(value));
    await events.append(tenant, given);
    const lines = await linesOf(tenant);
    const { hash } = await events.head(tenant);
    const ndjson = lines.map((line) => `${line}\n`).join('');
    const holds = { status: 0, text: withoutGap(1, lines.length, hash) };
    expect(await check(file('a.ndjson', ndjson))).toEqual(holds);
    expect(await check(file('a.ndjson', lines.toReversed().join('\n')))).toEqual(holds);
    expect(await check(file('a.json', `[${lines.join('\n,')}\n]`))).toEqual(holds);
    expect(await check(file('a.ndjson.gz', gzipSync(ndjson)))).toEqual(holds);
    if (name === 'Node') expect(await check(file('a.ndjson.zst', zstdCompressSync(ndjson)))).toEqual(holds);
    expect((await check(file('a.ndjson', lines.slice(100).join('\n')))).text).toBe(withoutGap(101, lines.length, hash));
    const filtered = await check(file('a.ndjson', lines.filter((_, index) => index % 3 > 0).join('\n')));
    expect(filtered.text).toMatch(/^\d+ events intact; which events are missing is not shown by this file\n$/);
    for (const [index, event] of given.entries())
      await eraseCompartments(events.sql, event, {
        tenant,
        erasing: [erasable[index % 5]!, erasable[(index >> 3) % 5]!],
      });
    const erased = await check(file('a.ndjson', (await linesOf(tenant)).join('\n')));
    expect(erased.text).toContain(withoutGap(1, lines.length, hash));
    expect(erased.status).toBe(0);
  });

  test('finds empty files to hold, and says so of rows that are no whole events', async () => {
    expect(await check(file('empty', ''))).toEqual({ status: 0, text: '0 events intact\n' });
    expect(await check(file('empty', '[]'))).toEqual({ status: 0, text: '0 events intact\n' });
    expect(await check(file('a.csv', 'id,action\r\n1,a\r\n'))).toEqual({ status: 0, text: 'rows: not whole events\n' });
    expect(await check(file('flat', '{"Time":"x"}\n'))).toEqual({ status: 0, text: 'rows: not whole events\n' });
  });

  test('finds whatever was changed, at the event where it was changed', async () => {
    const tenant = await events.newTenant();
    const given = fc
      .sample(arbitraryEvent, 12)
      .map((value) => newEvent({ ...value, target: { id: 'd', type: 't' }, actor: { id: 'u' }, metadata: { n: 1 } }));
    await events.append(tenant, given);
    const lines = await linesOf(tenant);
    for (const { at, row } of fc.sample(tampering(lines), tried.tamperings)) {
      const { status, text } = await check(file('tampered', lines.with(at, row).join('\n')));
      expect(text, row).toContain(`does not hold: broken at event ${at + 1} `);
      expect(status).toBe(1);
    }
    const found = async (rows: string[], number: number) =>
      expect((await check(file('tampered', rows.join('\n')))).text).toContain(`broken at event ${number}`);
    const twice = await check(file('tampered', lines.with(3, lines[3]!.replace('{', '{"action":"x",')).join('\n')));
    expect(twice.text).toMatch(/broken at event \S+ \((line|row) 4\): /);
    await found([...lines, lines[4]!], 5);
    await found(lines.with(6, lines[7]!.replace('"sequence_number":8', '"sequence_number":7')), 7);
    const other = await events.newTenant();
    await events.append(
      other,
      given.map(({ action }) => newEvent({ action })),
    );
    await found(lines.with(5, (await linesOf(other))[5]!), 6);
  });

  test('ends with one line and no traceback for what cannot be read', async () => {
    const broken: [string | Uint8Array, RegExp][] = [
      ['{"proof":', /does not hold/],
      [`{"proof":${'['.repeat(100_000)}`, /does not hold/],
      [gzipSync(blocks('ndjson')[0]!).subarray(0, 300), /does not hold/],
      [Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), /does not hold/],
    ];
    for (const [content, message] of broken) {
      const { status, text } = await check(file('broken', content));
      expect(status).toBe(1);
      expect(text.trim()).toMatch(message);
      expect(text.trim().split('\n')).toHaveLength(1);
    }
    expect((await check(join(directory, 'nowhere'))).text).toMatch(/^does not hold: .*nowhere/);
  });

  describe('with a receipt', () => {
    const keys = generateKeyPairSync('ed25519');
    const others = generateKeyPairSync('ed25519');
    const keySet = file(
      `keys-${name.slice(0, 4)}.json`,
      JSON.stringify({ keys: [jwkOf('other', others.publicKey), jwkOf('k1', keys.publicKey)] }),
    );
    let lines: string[];
    let hash: string;
    beforeAll(async () => {
      const tenant = await events.newTenant();
      await events.append(
        tenant,
        Array.from({ length: 11 }, (_, i) => newEvent({ action: `a${i + 1}` })),
      );
      lines = await linesOf(tenant);
      hash = (await events.head(tenant)).hash;
    });
    const claimOf = (rows: readonly string[], claim: object = {}) => ({
      ...{ rows: rows.length, request: { filter: {} }, as_of_sequence: 11, head: { sequence_number: 11, hash } },
      checkpoint: `example/log/1\n11\n${treeRoot(lines.map((line) => Buffer.from(JSON.parse(line).hash, 'hex'))).toString('base64')}\n\n— example/log/1 AAAA\n`,
      ...claim,
    });
    const checked = (rows: readonly string[], claim: object = {}, receipted = rows.join('\n')) => {
      const receipt = receiptOf(receipted, { predicate: claimOf(rows, claim), key: keys.privateKey });
      return check(file('rows', rows.join('\n')), file('receipt.json', receipt), keySet);
    };

    test('finds the signature good, the file unchanged, the chain to end in its head and the tree to have its root', async () => {
      const { status, text } = await checked(lines);
      expect(text).toContain(
        checksSignatures || name === 'Node' ? 'signature of the receipt: good; file: unchanged' : 'file: unchanged',
      );
      expect(text).toContain(withoutGap(1, 11, hash));
      expect(text).toContain('root of the checkpoint: good\n');
      expect(status).toBe(0);
      expect((await checked(lines, { checkpoint: null })).text).not.toContain('checkpoint');
      expect((await checked(lines.toReversed())).status).toBe(0);
      expect((await checked(lines.slice(4), { request: { filter: { after_sequence: 4 } } })).status).toBe(0);
      expect((await checked(lines.slice(0, 4), { request: { filter: { through_sequence: 4 } } })).status).toBe(0);
      expect(
        (await checked(lines.slice(2, 5).concat(lines.slice(8)), { request: { filter: { action: 'a*' } } })).status,
      ).toBe(0);
      expect((await checked(lines, { checkpoint: null })).status).toBe(0);
      expect(
        (await checked([], { as_of_sequence: 0, head: { sequence_number: 0, hash: '0'.repeat(64) } })).status,
      ).toBe(0);
    });

    test('finds a changed file, missing events, another head, another root', async () => {
      const wrong: [() => Promise<Outcome>, RegExp][] = [
        [() => checked(lines, {}, 'another file'), /the file is not the one that the receipt is for/],
        [
          () => checked(lines.with(2, lines[2]!.replace('"a3"', '"x"')), {}, 'x'),
          /not the one it is for[\s\S]*broken at event 3 /,
        ],
        [() => checked(lines.toSpliced(5, 1)), /the file lacks events before the head/],
        [() => checked(lines.slice(0, 9)), /the file lacks events before the head/],
        [() => checked(lines, { head: { sequence_number: 11, hash: 'a'.repeat(64) } }), /rows or last hash are others/],
        [() => checked(lines, { rows: 12 }), /rows or last hash are others/],
        [() => checked(lines, { checkpoint: `o\n11\n${'A'.repeat(43)}=\n\n— o AAAA\n` }), /the root of the checkpoint/],
      ];
      for (const [outcome, message] of wrong) {
        const { status, text } = await outcome();
        expect(text).toMatch(message);
        expect(status).toBe(1);
      }
    });

    it.skipIf(skipped || (name !== 'Node' && !checksSignatures))(
      'finds another signature, and a key that is not known',
      async () => {
        const rows = file('rows', lines.join('\n'));
        const spoiled = async (change: (bundle: Bundle) => void, message: RegExp) => {
          const bundle = JSON.parse(receiptOf(lines.join('\n'), { predicate: claimOf(lines), key: keys.privateKey }));
          change(bundle);
          const { status, text } = await check(rows, file('receipt.json', JSON.stringify(bundle)), keySet);
          expect(text).toMatch(message);
          expect(status).toBe(1);
        };
        const payload = (text: string) => Buffer.from(text).toString('base64');
        await spoiled((bundle) => {
          const { dsseEnvelope } = bundle;
          dsseEnvelope.payload = payload(
            Buffer.from(dsseEnvelope.payload, 'base64').toString().replace('"rows":11', '"rows":12'),
          );
        }, /does not hold: the signature of the receipt/);
        await spoiled((bundle) => {
          bundle.dsseEnvelope.signatures[0]!.keyid = 'other';
          bundle.verificationMaterial.publicKey.hint = 'other';
        }, /does not hold: the signature of the receipt/);
        await spoiled((bundle) => {
          bundle.verificationMaterial.publicKey.hint = 'k2';
        }, /a key that is not in the key set/);
      },
    );
  });
});

type Bundle = ReturnType<typeof bundleOf>;

const jwkOf = (kid: string, key: KeyObject) => ({ ...key.export({ format: 'jwk' }), alg: 'Ed25519', use: 'sig', kid });

/** A receipt as Logferry makes it, of a file of this content. */
const receiptOf = (...of: Parameters<typeof bundleOf>): string => JSON.stringify(bundleOf(...of));

function bundleOf(content: string, { predicate, key }: { predicate: object; key: KeyObject }) {
  const payloadType = 'application/vnd.in-toto+json';
  const payload = Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'events.ndjson', digest: { sha256: hexOf(sha256(content)) } }],
      predicateType: 'https://logferry.dev/attestations/export/v1',
      predicate,
    }),
  );
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `),
    payload,
  ]);
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'k1' } },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType,
      signatures: [{ sig: sign(null, signed, key).toString('base64'), keyid: 'k1' }],
    },
  };
}

/** One row with one of its values changed, at random: as JSON, and never its number, which says where it must be found. */
function tampering(lines: readonly string[]): fc.Arbitrary<{ at: number; row: string }> {
  return fc.record({ at: fc.nat(lines.length - 1), pick: fc.nat(), by: fc.nat() }).map(({ at, pick, by }) => {
    const event = JSON.parse(lines[at]!);
    const leaves: [holder: Record<string, unknown>, key: string][] = [];
    const walk = (holder: Record<string, unknown>) => {
      for (const [key, value] of Object.entries(holder)) {
        if (typeof value === 'object' && value !== null) walk(value as Record<string, unknown>);
        if (key !== 'sequence_number' || holder !== event) leaves.push([holder, key]);
      }
    };
    walk(event);
    const [holder, key] = leaves[pick % leaves.length]!;
    // An assignment to `__proto__` would change nothing.
    Object.defineProperty(holder, key, { value: changed(Object.getOwnPropertyDescriptor(holder, key)!.value, by) });
    return { at, row: JSON.stringify(event) };
  });
}

function changed(value: unknown, by: number): unknown {
  // Beyond 2^53 the next number may be the same one.
  if (typeof value === 'number') return value + 1 === value ? value / 2 : value + 1;
  if (typeof value === 'boolean') return !value;
  if (value === null || typeof value === 'object') return ['x', 1, true, [null]][by % 4];
  const text = value as string;
  if (text === '') return null;
  const at = by % text.length;
  return text.slice(0, at) + (text[at] === 'b' ? 'c' : 'b') + text.slice(at + 1);
}
