import { describe, expect, it } from 'vitest';
import { parseEventPath, parseSortPath } from '../../../core/events/event-path.ts';

const read = (text: string) => {
  const path = parseEventPath(text);
  return 'error' in path ? path : { field: path.field.path, steps: path.steps };
};

describe('parseEventPath', () => {
  it.each([
    ['action', 'action', []],
    ['actor.id', 'actor.id', []],
    ['actor', 'actor', []],
    ['actor.meta.team', 'actor.meta', ['team']],
    ['metadata', 'metadata', []],
    ['metadata.request_parameters.roleName', 'metadata', ['request_parameters', 'roleName']],
    ['metadata.list[0].x', 'metadata', ['list', 0, 'x']],
    ['metadata["a.b"]["c[0]"]', 'metadata', ['a.b', 'c[0]']],
    ['metadata["say \\"hi\\""]', 'metadata', ['say "hi"']],
    ['metadata["caf\\u00e9\\n"]', 'metadata', ['café\n']],
    ['metadata.0', 'metadata', ['0']],
    ['metadata.__proto__', 'metadata', ['__proto__']],
    ['context.ip', 'context.ip', []],
    ['context.region', 'context', ['region']],
    ['diff.after.name', 'diff', ['after', 'name']],
  ])('reads %s', (text, field, steps) => {
    expect(read(text)).toEqual({ field, steps });
  });

  it.each([
    '',
    '.',
    'metadata.',
    'metadata..a',
    'metadata[',
    'metadata[x]',
    'metadata[-1]',
    '[0]',
    'metadata["a]',
    'metadata["\\x"]',
    'metadata["\\u0000"]',
    'metadata["\\ud800"]',
    `metadata${'.a'.repeat(65)}`,
  ])('refuses %j', (text) => {
    expect(read(text)).toEqual({ error: expect.stringContaining('is not a path') });
  });

  it.each(['metadata.a\0b', 'metadata.\ud800'])('says of %j what cannot be stored', (text) => {
    expect(read(text)).toEqual({ error: expect.stringMatching(/NUL|surrogate/) });
  });

  it.each([
    ['sevrity', 'severity'],
    ['actor.emial', 'actor.email'],
    ['metdata', 'metadata'],
  ])('suggests for %s the field %s', (text, meant) => {
    expect(read(text)).toEqual({ error: expect.stringContaining(`did you mean "${meant}"?`) });
  });

  it.each(['__proto__', 'constructor', 'toString', 'actor.id.x', 'actor.unknown', 'hash.x'])(
    'knows no field %s',
    (text) => {
      expect(read(text)).toEqual({ error: expect.stringContaining('unknown field') });
    },
  );
});

describe('parseSortPath', () => {
  it('takes what parseEventPath takes, but for the proof, which has no order', () => {
    expect(parseSortPath('hash')).toEqual(parseEventPath('hash'));
    expect(parseSortPath('proof')).toEqual({ error: expect.stringContaining('"proof" has no order') });
    expect(parseEventPath('proof')).toMatchObject({ field: { path: 'proof' }, steps: [] });
    expect(parseSortPath('proof.seed')).toEqual({ error: expect.stringContaining('unknown field') });
  });
});
