/**
 * What no reader sees and a spreadsheet skips: controls, formats, spaces and line and paragraph separators (Unicode categories
 * Cc, Cf, Zs, Zl, Zp), NUL aside. As ranges, since PostgreSQL knows no categories; test/core/exports holds them to Node's.
 */
export const invisibleRanges: readonly (readonly [from: number, to: number])[] = [
  [0x1, 0x20],
  [0x7f, 0xa0],
  [0xad, 0xad],
  [0x600, 0x605],
  [0x61c, 0x61c],
  [0x6dd, 0x6dd],
  [0x70f, 0x70f],
  [0x890, 0x891],
  [0x8e2, 0x8e2],
  [0x1680, 0x1680],
  [0x180e, 0x180e],
  [0x2000, 0x200f],
  [0x2028, 0x202f],
  [0x205f, 0x2064],
  [0x2066, 0x206f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0x110bd, 0x110bd],
  [0x110cd, 0x110cd],
  [0x13430, 0x1343f],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0001, 0xe0001],
  [0xe0020, 0xe007f],
];

/** First visible characters of a formula: = + - @, and their small and full-width forms. */
const starters = '=+\\-@﹢﹣﹦﹫＋－＝＠';

const inJs = (code: number): string => `\\u{${code.toString(16)}}`;
const inPostgres = (code: number): string => `\\U${code.toString(16).padStart(8, '0')}`;

const patternOf = (written: (code: number) => string): string => {
  const invisible = invisibleRanges.map(([from, to]) => `${written(from)}-${written(to)}`).join('');
  return `^(?:[${invisible}]*[${starters}]|[\\t\\r\\n])`;
};

/**
 * A text that a spreadsheet runs, or takes for more than one cell: its first visible character begins a formula, or it begins
 * with a tab, CR or LF. https://owasp.org/www-community/attacks/CSV_Injection
 */
export const formulaStart = new RegExp(patternOf(inJs), 'u');

/** The same as a regular expression of PostgreSQL, for databases in UTF8. */
export const formulaStartInPostgres = patternOf(inPostgres);
