import { expect, it } from 'vitest';
import { formulaStart, invisibleRanges } from '../../../core/exports/formats/formulas.ts';

it('skips what Unicode calls controls, formats, spaces and separators, and nothing else', () => {
  const isInvisible = (code: number) => invisibleRanges.some(([from, to]) => code >= from && code <= to);
  const wrong = Array.from({ length: 0x10ffff }, (_, index) => index + 1).filter(
    (code) =>
      !(code >= 0xd800 && code <= 0xdfff) &&
      isInvisible(code) !== /[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u.test(String.fromCodePoint(code)),
  );
  expect(wrong).toEqual([]);
});

it.each(['=1', ' =1', '\t', '\u200b\u00ad@x', '＋1', '﹣1', '\r\n-'])('takes %j for a formula', (text) => {
  expect(formulaStart.test(text)).toBe(true);
});

it.each(['', 'a=1', '1-2', "'=1", ' x', '\u200b'])('takes %j for a text', (text) => {
  expect(formulaStart.test(text)).toBe(false);
});
