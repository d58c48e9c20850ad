import type { FileFormat } from './file-format.ts';

/** One array of objects. Its rows are printed with a comma before each. */
export const jsonFile: FileFormat = {
  contentType: 'application/json',
  opening: () => Buffer.from('['),
  // No line break behind it: cut off, it would leave a cut file that parses.
  closing: Buffer.from(']'),
  separatorBytes: 1,
};
