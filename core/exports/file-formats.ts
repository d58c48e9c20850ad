import type { Format } from './exports.ts';
import { csvFile } from './formats/csv.ts';
import type { FileFormat } from './formats/file-format.ts';
import { jsonFile } from './formats/json.ts';
import { ndjsonFile } from './formats/ndjson.ts';

/** Every format there is: one that is missing does not compile. */
export const fileFormats: Readonly<Record<Format, FileFormat>> = { csv: csvFile, json: jsonFile, ndjson: ndjsonFile };
