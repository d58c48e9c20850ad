import type { FileFormat } from './file-format.ts';

/** One object a line. */
export const ndjsonFile: FileFormat = {
  contentType: 'application/x-ndjson',
  opening: () => Buffer.alloc(0),
  closing: Buffer.alloc(0),
  separatorBytes: 0,
};
