import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { logOrigin, readCheckpoint, readOrigin, signCheckpoint } from '../../../core/evidence/checkpoint.ts';
import { isKeyName, verifierKey } from '../../../core/evidence/signed-note.ts';
import { jwkOf, makeSigningKey, openSigningKey } from '../../../core/evidence/signing-key.ts';

const made = makeSigningKey();
const key = openSigningKey(made.publicKey, made.secret);
const tenantId = '01a2047e-98dd-7000-8000-000000000006';
const origin = logOrigin('audit.example.com:8443', tenantId);
const root = Buffer.alloc(32, 7);

describe('A checkpoint', () => {
  const note = signCheckpoint({ origin, size: 1234, root }, key);

  it('is read back, and is signed by the key over the text above the empty line', () => {
    expect(readCheckpoint(note)).toEqual({ origin, size: 1234, root });
    const [text, line] = [note.slice(0, note.indexOf('\n\n') + 1), note.slice(note.indexOf('\n\n') + 2)];
    const [, name, base64] = /^— (\S+) (\S+)\n$/.exec(line)!;
    expect(name).toBe(origin);
    const signature = Buffer.from(base64!, 'base64');
    const [, id] = verifierKey(origin, key).split('+');
    expect(signature.subarray(0, 4).toString('hex')).toBe(id);
    const publicKey = createPublicKey({ key: jwkOf(key), format: 'jwk' });
    expect(verify(null, Buffer.from(text), publicKey, signature.subarray(4))).toBe(true);
    expect(verify(null, Buffer.from(`${text}x`), publicKey, signature.subarray(4))).toBe(false);
  });

  it.each([
    ['another size', note.replace('1234', '01234')],
    ['a root that is too short', note.replace(root.toString('base64'), Buffer.alloc(31).toString('base64'))],
    ['no empty line', note.replace('\n\n', '\n')],
    ['nothing', ''],
  ])('is not read from %s', (_what, text) => {
    expect(readCheckpoint(text)).toBeUndefined();
  });
});

describe('The name of a log', () => {
  it('says which of the tenant it is', () => {
    expect(readOrigin(origin, tenantId)).toEqual({ base: 'audit.example.com:8443', number: 1 });
    expect(readOrigin(logOrigin('a.b/c', tenantId, 12), tenantId)).toEqual({ base: 'a.b/c', number: 12 });
  });

  it.each([
    logOrigin('audit.example.com', '01a2047e-98dd-7000-8000-000000000007'),
    `${origin}/1`,
    `${origin}/02`,
    `${origin}/2/3`,
    `${origin}/x`,
    `/log/${tenantId}`,
    '',
  ])('is not taken from %j', (text) => {
    expect(readOrigin(text, tenantId)).toBeUndefined();
  });

  it('can hold neither spaces nor plus signs', () => {
    expect(['a.example:80/x', 'é'].every(isKeyName)).toBe(true);
    expect(['', 'a b', 'a+b', 'a\u00a0b', 'a\nb', '\ud800'].some(isKeyName)).toBe(false);
  });
});

describe('A signing key', () => {
  it('is not opened with the public half of another', () => {
    expect(() => openSigningKey(makeSigningKey().publicKey, made.secret)).toThrow(/do not belong together/);
  });

  it('is named by its thumbprint (RFC 8037 appendix A.3)', () => {
    const x = Buffer.from('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', 'base64url');
    const d = 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A';
    expect(openSigningKey(x, d).kid).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });
});
