import type { ExportContent } from './exports.ts';
import { fileFormats } from './file-formats.ts';
import type { PlacedChunk } from './row-chunk.ts';

/** The position behind the last byte of the file: nothing is left to read. */
export const endOfFile = 'end';

/** Bytes of the file with the rows they hold, and the position behind them; none behind the opening. */
export type FramedChunk<Position> = PlacedChunk<Position | typeof endOfFile | null>;

/**
 * Puts what stands before and after the rows around them: BOM and header, or the brackets of an array. `resumed` says
 * that the file has its beginning already, with `rowsBefore` rows.
 */
export async function* frameRows<Position>(
  chunks: AsyncIterable<PlacedChunk<Position>>,
  content: ExportContent,
  { resumed, rowsBefore }: { resumed: boolean; rowsBefore: number },
): AsyncGenerator<FramedChunk<Position>> {
  const { opening, closing, separatorBytes, neutralizedTitles } = fileFormats[content.format];
  let isFirst = rowsBefore === 0;
  if (!resumed) {
    const neutralizedCells = neutralizedTitles?.(content) ?? 0;
    yield { bytes: opening(content), rows: 0, neutralizedCells, position: null };
  }
  for await (const chunk of chunks) {
    yield isFirst && separatorBytes > 0 ? { ...chunk, bytes: chunk.bytes.subarray(separatorBytes) } : chunk;
    isFirst = false;
  }
  // It says that it is the end, since whoever goes on behind a part that holds it must not write another one.
  if (closing.length > 0) yield { bytes: closing, rows: 0, position: endOfFile };
}
