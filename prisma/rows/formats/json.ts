import type { EventPath } from '../../../core/events/event-path.ts';
import {
  type Member as EventMember,
  eventMembers,
  type FieldType,
  type Group,
  isGroup,
} from '../../../core/events/members.ts';
import { columnsOf } from '../../../core/exports/columns.ts';
import type { ExportContent } from '../../../core/exports/exports.ts';
import type { CopyMessage } from '../../copy/copy-messages.ts';
import type { RowPrinter } from '../../copy/row-printer.ts';
import { literals } from '../../sql/bind.ts';
import { wholeMemberJson } from '../../sql/event-json.ts';
import { jsonAt } from '../../sql/values.ts';
import {
  jsonCell,
  quoted,
  timeWriter,
  writeBase64Url,
  writeBytes,
  writeHex,
  writeInteger,
  writeJsonText,
  writeNull,
  writeUuid,
} from './cell-writers.ts';
import { isTrailer, type RowCursor, readInt32, startOfRow, type Writer, writeLiteral } from './row-cursor.ts';
import type { RowsSql } from './rows-sql.ts';

/** What is read from PostgreSQL for one value, and what it becomes. */
type Value = {
  select: string[];
  /** For each of these, how many bytes one of its bytes becomes at most. */
  growth: number[];
  /** Bytes that it has at most besides: quotes, names, brackets, `null`. */
  fixed: number;
  write: Writer;
};

/** Objects in an array, with a comma before each. */
export const jsonRows = (content: ExportContent): RowsSql => printedObjects(content, ',{');

/**
 * The whole event, or a flat object keyed by the columns' titles. Printed here from what PostgreSQL has: it is several times
 * as slow at writing JSON as at giving its columns in binary (COPY's format for that), and this process has little else to
 * do meanwhile.
 * @param opening what each row begins with
 */
export function printedObjects(content: ExportContent, opening: string): RowsSql {
  const isWhole = !content.columns && content.properties.length === 0;
  const members = isWhole
    ? wholeEvent()
    : columnsOf(content).map(({ title, source }) => ({ title, value: cellOf(source) }));
  const row = object(members, opening);
  return { select: row.select.join(', '), copyOptions: 'format binary', printer: jsonPrinter(row) };
}

type Member = { title: string; value: Value };

/** An object; a value that is the same in all rows is part of the text between. */
function object(members: readonly Member[], opening: string): Value {
  const pieces = members.map(({ title, value }, index) => ({
    before: Buffer.from(`${index === 0 ? opening : ','}${JSON.stringify(title)}:`),
    write: value.write,
  }));
  const closing = Buffer.from('}');
  return {
    select: members.flatMap(({ value }) => value.select),
    growth: members.flatMap(({ value }) => value.growth),
    fixed: pieces.reduce((sum, { before }, index) => sum + before.length + members[index]!.value.fixed, closing.length),
    write(cursor) {
      for (let i = 0; i < pieces.length; i++) {
        const { before, write } = pieces[i]!;
        writeLiteral(cursor, before);
        write(cursor);
      }
      writeLiteral(cursor, closing);
    },
  };
}

/** Bytes of two quotes, or of `null`. */
const aroundCell = 4;
/** A control character in a text becomes six bytes, and so does no byte of anything else. */
const mostGrowth = 6;

const cell = (expression: string, write: Writer, growth = mostGrowth): Value => ({
  select: [expression],
  growth: [growth],
  fixed: aroundCell,
  write: jsonCell(write),
});
const text = (column: string): Value => cell(column, writeJsonText);
const writeJson = jsonCell(writeBytes);
const json = (expression: string): Value => cell(expression, writeBytes, 1);
const time = (column: string, digits: 3 | 6 = 6): Value => cell(column, quoted(timeWriter(digits)));
const hex = (column: string): Value => cell(column, quoted(writeHex));
const uuid = (column: string): Value => cell(column, quoted(writeUuid));
const integer = (column: string): Value => cell(column, writeInteger);
/** Text that needs no escapes. */
const word = (column: string): Value => cell(column, quoted(writeBytes));

const seedCell = jsonCell(quoted(writeBase64Url));
const beforeSeed = Buffer.from('{"seed":');
const brace = Buffer.from('}');

/** The seed as an object, or what an erasure has left in its place: one of the two columns is null. */
const proof: Value = {
  select: ['seed', 'erased'],
  growth: [2, 1],
  fixed: beforeSeed.length + aroundCell + brace.length,
  write(cursor) {
    const isErased = readInt32(cursor.row, cursor.from) < 0;
    if (isErased) {
      cursor.from += 4;
      writeJson(cursor);
      return;
    }
    writeLiteral(cursor, beforeSeed);
    seedCell(cursor);
    writeLiteral(cursor, brace);
    cursor.from += 4;
  },
};

const constant = (value: string): Value => {
  const written = Buffer.from(JSON.stringify(value));
  return { select: [], growth: [], fixed: written.length, write: (cursor) => writeLiteral(cursor, written) };
};

/** An object that is null when all of its values are. */
function objectOrNull(members: readonly Member[]): Value {
  const inner = object(members, '{');
  const cells = inner.select.length;
  return {
    ...inner,
    write(cursor) {
      for (let i = 0; i < cells; i++) {
        if (readInt32(cursor.row, cursor.from + 4 * i) < 0) continue;
        inner.write(cursor);
        return;
      }
      cursor.from += 4 * cells;
      writeNull(cursor);
    },
  };
}

/** How a column of each type is printed. */
const printed: Record<FieldType, (column: string, digits?: 3 | 6) => Value> = {
  uuid,
  integer,
  time,
  severity: word,
  text,
  json,
  hash: hex,
  proof: () => proof,
};

const memberOf = (member: EventMember): Member => ({
  title: member.name,
  value: isGroup(member) ? groupOf(member) : printed[member.type](member.column),
});

function groupOf({ members, nullable }: Group): Value {
  const inner = members.map(memberOf);
  return nullable ? objectOrNull(inner) : object(inner, '{');
}

/** The members of an event, in the order of the API reference. */
const wholeEvent = (): Member[] => eventMembers.map(memberOf);

function cellOf(source: EventPath | { constant: string }): Value {
  if ('constant' in source) return constant(source.constant);
  const { field, steps, digits } = source;
  if (field.column === null) return json(`(${wholeMemberJson(field.path)})::text`);
  if (field.type === 'json') return json(jsonAt(field.column, steps, literals));
  return printed[field.type](field.column, digits);
}

/** Bytes of a row from which it is worth asking what each cell may become: a long one is mostly JSON, which stays as it is. */
const longRow = 16 * 1024;

function jsonPrinter({ write, growth, fixed }: Value): RowPrinter {
  const cursor: RowCursor = { row: Buffer.alloc(0), from: 0, length: 0, out: Buffer.alloc(0), at: 0 };
  return {
    isRow: (message) => !isTrailer(message),
    // One more for the end of the line.
    bound: (message) => {
      const length = message.to - message.from;
      return 1 + fixed + (length < longRow ? mostGrowth * length : growthOf(message, growth));
    },
    print(message, out, at) {
      cursor.row = message.bytes;
      cursor.from = startOfRow(message);
      cursor.out = out;
      cursor.at = at;
      write(cursor);
      out[cursor.at] = lineFeed;
      return cursor.at + 1;
    },
  };
}

function growthOf(row: CopyMessage, growth: readonly number[]): number {
  let from = startOfRow(row);
  let bytes = 0;
  for (const most of growth) {
    const length = Math.max(0, readInt32(row.bytes, from));
    bytes += most * length;
    from += 4 + length;
  }
  return bytes;
}

const lineFeed = 0x0a;
