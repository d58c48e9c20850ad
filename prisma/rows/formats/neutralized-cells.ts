import { formulaStartInPostgres } from '../../../core/exports/formats/formulas.ts';

/**
 * What gets an apostrophe put before it where formulas are neutralized: they, and texts that begin with one. So that a cell of
 * the COPY tells what it was: two apostrophes were one, a single one was none.
 */
export const markedStartInPostgres = `${formulaStartInPostgres}|^'`;

const apostrophe = 0x27;
const quotationMark = 0x22;

/**
 * Counts the cells of whole CSV rows that were altered, and takes the second apostrophe out of those that had one, in place.
 * Every cell must be quoted.
 * @returns how many bytes are left, and how many cells a spreadsheet would have run
 */
export function settleApostrophes(rows: Buffer): { bytes: number; neutralizedCells: number } {
  let neutralizedCells = 0;
  let bytes = 0;
  let movedFrom = 0;
  for (let at = nextApostrophe(rows, 0); at >= 0; at = nextApostrophe(rows, at + 1)) {
    if (!beginsCell(rows, at)) continue;
    if (rows[at + 1] !== apostrophe) {
      neutralizedCells++;
      continue;
    }
    bytes += rows.copy(rows, bytes, movedFrom, at);
    movedFrom = at + 1;
  }
  bytes += movedFrom === 0 ? rows.length : rows.copy(rows, bytes, movedFrom);
  return { bytes, neutralizedCells };
}

/** Bytes that are looked at one by one: a call for each of many apostrophes side by side costs fifty times as much. */
const nearBytes = 32;

function nextApostrophe(rows: Buffer, from: number): number {
  const near = Math.min(from + nearBytes, rows.length);
  for (let at = from; at < near; at++) if (rows[at] === apostrophe) return at;
  return rows.indexOf(apostrophe, near);
}

/** Behind a quotation mark that is not the second of two: inside a cell, each stands twice. */
const beginsCell = (rows: Buffer, at: number): boolean =>
  at > 0 && rows[at - 1] === quotationMark && (at === 1 || rows[at - 2] !== quotationMark);
