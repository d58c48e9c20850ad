import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLevel, parseTileName, tileIndexPath } from '../../../core/evidence/tiles.ts';

const parse = (path: string) => parseTileName(path.split('/'));

describe('The name of a tile', () => {
  it.each([
    ['000', { index: 0, width: 256 }],
    ['067', { index: 67, width: 256 }],
    ['x001/234', { index: 1234, width: 256 }],
    ['x001/x234/067', { index: 1_234_067, width: 256 }],
    ['x001/234.p/12', { index: 1234, width: 12 }],
    ['000.p/255', { index: 0, width: 255 }],
  ])('%s names its index and width', (path, tile) => {
    expect(parse(path)).toEqual(tile);
  });

  it.each([
    '',
    '0',
    '00',
    '0000',
    'x000/001',
    '001/234',
    'x001/x234',
    'x1/234',
    '-01',
    '1e2',
    'x001/234/',
    '/000',
    '000.p',
    '000.p/0',
    '000.p/01',
    '000.p/256',
    '000.p/1/2',
    'x000.p/001',
    '000.p/-1',
    '٠٠٠',
    ' 000',
    `${'x001/'.repeat(6)}000`,
  ])('%j is none', (path) => {
    expect(parse(path)).toBeUndefined();
  });

  it('leads back to each index', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (index) => {
        expect(parse(tileIndexPath(index))).toEqual({ index, width: 256 });
      }),
    );
  });

  it('has levels from 0 to 63, in one spelling', () => {
    expect(['0', '7', '63'].map(parseLevel)).toEqual([0, 7, 63]);
    expect(['64', '00', '01', '', '-1', '1.0', 'entries', '100'].map(parseLevel)).toEqual(Array(8).fill(undefined));
  });
});
