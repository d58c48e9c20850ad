import { parse } from 'content-disposition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attachment } from '../../../core/exports/content-disposition.ts';

/** The two names a client may choose from. */
const namesIn = (header: string) => {
  const ascii = /^attachment; filename="([^"\\]*)"; filename\*=UTF-8''([!#$&+.^_`|~%\w-]+)$/.exec(header);
  expect(header).toMatch(/^[\x20-\x7e]+$/);
  expect(ascii).not.toBeNull();
  return { ascii: ascii![1], exact: decodeURIComponent(ascii![2]!) };
};

describe('attachment', () => {
  it.each([
    ['january.csv.gz', 'january.csv.gz', 'january.csv.gz'],
    ['Größe März.csv', 'Gro_e Marz.csv', 'Größe März.csv'],
    ['say "hi".csv', 'say _hi_.csv', 'say "hi".csv'],
    ["it's; a=b, (c)*.csv", "it's; a=b, (c)*.csv", "it's; a=b, (c)*.csv"],
    ['100%41.csv', '100_41.csv', '100%41.csv'],
    ['a\r\nSet-Cookie: x=1.csv', 'aSet-Cookie: x=1.csv', 'aSet-Cookie: x=1.csv'],
    ['ship 🚢.csv', 'ship _.csv', 'ship 🚢.csv'],
    ['family 👨‍👩‍👧.csv', 'family _____.csv', 'family 👨‍👩‍👧.csv'],
    ['report\u202egpj.exe', 'reportgpj.exe', 'reportgpj.exe'],
    ['../../etc\\passwd', '.._.._etc_passwd', '.._.._etc_passwd'],
    ['half \ud83d.csv', 'half _.csv', 'half \ufffd.csv'],
    ['監査.csv', '__.csv', '監査.csv'],
    ['\u0000\u0007', 'download', 'download'],
  ])('names %j in ASCII and in UTF-8', (fileName, ascii, exact) => {
    expect(namesIn(attachment(fileName))).toEqual({ ascii, exact });
  });

  it('carries names of 150 characters whole', () => {
    for (const fileName of ['x'.repeat(150), 'ü'.repeat(150), '🚢'.repeat(150)]) {
      expect(namesIn(attachment(fileName)).exact).toBe(fileName);
    }
  });

  it('makes a header that another reader understands, whatever the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }), (fileName) => {
        const header = attachment(fileName);
        const { type, parameters } = parse(header);
        expect(type).toBe('attachment');
        expect(parameters.filename).toBe(namesIn(header).exact);
      }),
    );
  });
});
