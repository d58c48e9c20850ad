import type { Request } from 'express';
import { AppError, invalid } from '../../core/errors.ts';
import { lineLimitBytes, mostBlankLines } from '../../core/limits/bodies.ts';
import { gatherBytes } from '../http/gather-bytes.ts';
import { type BodyMemory, readChunks } from '../http/read-chunks.ts';
import type { Line } from './read-line.ts';

/**
 * Reads the lines of a body as they arrive, a few at a time, blank ones left out; that holds memory as readChunks() says, also
 * for line breaks. There is no more of it than one line and what came with it: who stops asking stops the client.
 * @throws AppError payload_too_large for a line beyond the limit; what readChunks() throws
 */
export async function* readLines(
  request: Request,
  memory: BodyMemory,
  limitBytes = lineLimitBytes,
): AsyncGenerator<Line[]> {
  let number = 0;
  const begun = gatherBytes();
  let blank = 0;
  const wholeLine = (bytes: Buffer): Buffer => {
    if (begun.length === 0) return bytes;
    begun.add(bytes);
    return begun.take();
  };
  const take = (bytes: Buffer, lines: Line[]) => {
    number++;
    const whole = wholeLine(bytes);
    if (whole.length > limitBytes) throw lineTooLong(number, limitBytes);
    if (isBlank(whole)) blank++;
    else {
      lines.push({ number, bytes: whole });
      blank = 0;
    }
    if (blank > mostBlankLines)
      throw invalid([{ path: `line ${number}`, message: `follows ${mostBlankLines} blank lines` }]);
  };
  for await (const chunk of readChunks(request, memory)) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, end), lines);
      start = end + 1;
    }
    if (start < chunk.length) {
      begun.add(chunk.subarray(start));
      if (begun.length > limitBytes) throw lineTooLong(number + 1, limitBytes);
    }
    if (lines.length > 0) yield lines;
  }
  const last: Line[] = [];
  if (begun.length > 0) take(Buffer.alloc(0), last);
  if (last.length > 0) yield last;
}

const lineTooLong = (number: number, limitBytes: number): AppError =>
  new AppError('payload_too_large', `Line ${number} is longer than ${limitBytes} bytes, the most that is taken.`);

/** By a plain loop: a line of 16 MiB of spaces took `every` a quarter of a second. */
function isBlank(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte !== 32 && byte !== 9 && byte !== 13) return false;
  }
  return true;
}
