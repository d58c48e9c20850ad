import { compactTimestamp, type Timestamp } from '../times.ts';
import type { ExportContent } from './exports.ts';
import { fileFormats } from './file-formats.ts';

const extensions = { none: '', gzip: '.gz', zstd: '.zst' } as const;
const compressedTypes = { gzip: 'application/gzip', zstd: 'application/zstd' } as const;

/** The type of the stored file. A compressed one is that file, not an encoding of another: browsers would unpack it. */
export const contentType = ({ format, compression }: Pick<ExportContent, 'format' | 'compression'>): string =>
  compression === 'none' ? fileFormats[format].contentType : compressedTypes[compression];

/** Every type that a stored file may have. */
export const storedContentTypes: readonly string[] = [
  ...Object.values(fileFormats).map((format) => format.contentType),
  ...Object.values(compressedTypes),
];

/** The name a download gets: `asked` or a default, with the extension added if it is missing. */
export function downloadName(
  content: Pick<ExportContent, 'format' | 'compression'>,
  asOf: Timestamp,
  asked?: string,
): string {
  const outer = extensions[content.compression];
  const inner = `.${content.format}`;
  let name = asked ?? `events-export-${compactTimestamp(asOf)}`;
  if (name.toLowerCase().endsWith(inner + outer)) return name;
  if (!name.toLowerCase().endsWith(inner)) name += inner;
  return name + outer;
}

/** The folder of all files of exports. What else is in the storage is somebody else's. */
export const exportsFolder = 'exports/';

/** Where the file of an export is kept. The tenant stands first, so that a bucket policy can tell tenants apart. */
export const objectKey = (
  tenantId: string,
  exportId: string,
  content: Pick<ExportContent, 'format' | 'compression'>,
): string => `${exportsFolder}${tenantId}/${exportId}/events.${content.format}${extensions[content.compression]}`;

const keyPattern = /^exports\/([0-9a-f-]{36})\/([0-9a-f-]{36})\/events\.[a-z.]+$/;

/** The id of the export in a key of objectKey(), or undefined for any other key. */
export const exportIdOfKey = (key: string): string | undefined => keyPattern.exec(key)?.[2];

/** The id of its tenant. */
export const tenantIdOfKey = (key: string): string | undefined => keyPattern.exec(key)?.[1];
