import { encodeExtended } from 'content-disposition';

/** Controls, line separators, and the marks that turn the reading direction, by which `x\u202Egpj.exe` shows as `xexe.jpg`. */
const invisible = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * The Content-Disposition of a download, with the name in both forms of RFC 6266: `filename`, plain ASCII for old
 * clients, and `filename*` (RFC 8187), the exact name in UTF-8. Invisible controls are dropped, lone surrogates become
 * U+FFFD, slashes become `_`.
 *
 * The ASCII form is made here, as the library's own keeps quotes, backslashes and percent signs, which browsers read
 * each in their own way, and leaves `filename*` out where it thinks it unneeded.
 */
export function attachment(fileName: string): string {
  const name = fileName.toWellFormed().replace(invisible, '').replace(/[/\\]/g, '_').trim() || 'download';
  const ascii = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^\x20-\x7e]|["\\%/]/gu, '_');
  return `attachment; filename="${ascii}"; filename*=${encodeExtended(name)}`;
}
