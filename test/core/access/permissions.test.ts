import { describe, expect, it } from 'vitest';
import { scopesOf } from '../../../core/access/permissions.ts';

describe('scopesOf', () => {
  it.each([
    ['fe.secure.read.audits', 'fe.secure.read.audits', true],
    ['fe.secure.read.audits', 'fe.secure.read.audit', false],
    ['fe.secure.read.audits', 'fe.secure.read.audits.all', false],
    ['fe.secure.read.audits', 'FE.secure.read.audits', false],
    ['fe.secure.read.audits', 'fe.secure.*', true],
    ['fe.secure.read.audits', 'fe.*.audits', true],
    ['fe.secure.read.audits', 'fe.*.read.*', true],
    ['fe.secure.read.audits', '*', true],
    ['fe.secure.read.audits', 'fe.secure.*.write', false],
    ['fe.secure.read.audits', 'fe.connectivity.*', false],
    ['fe.secure.read.audits', '', false],
    ['fe.secure.*', 'fe.secure.read.audits', true],
    ['fe.secure.*', 'fe.*', true],
    ['fe.secure.*', 'fe.secure', false],
    ['*.audits', 'fe.secure.read.audits', true],
    // The beginning and the end must not be of the same characters.
    ['aba*aba', 'aba', false],
    ['a.b+', 'a.bb', false],
  ])('maps %j for a token that holds %j: %j', (wanted, held, given) => {
    expect(scopesOf([held], { [wanted]: ['export'] })).toEqual(given ? ['export'] : []);
  });

  it('gives each scope once, in the order of the list', () => {
    const map = { b: ['export', 'events:read'], a: ['events:read'] } as const;
    expect(scopesOf(['a', 'b', 'b'], map)).toEqual(['events:read', 'export']);
  });

  it('is done with a pattern made to take for ever', () => {
    const started = performance.now();
    expect(scopesOf([`${'*a'.repeat(4000)}*b`], { [`${'a'.repeat(4000)}c`]: ['export'] })).toEqual([]);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
