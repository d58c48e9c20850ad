/** How the file of one export is cut into parts. Kept with the export: a run that goes on must cut as the one before. */
export type PartPlan = { firstPartBytes: number; maxParts: number };

/** The most that S3 takes as one part (Amazon S3 multipart upload limits). */
const largestPartBytes = 5 * 1024 ** 3;

/**
 * Bytes at which part `partNumber` (from 1) is cut. Parts double with each tenth of those that there may be: 10,000 that
 * begin with 8 MiB hold 7.8 TiB, more than most stores take as one object, so an export of unknown length does not run
 * out of parts. Small ones come first, because most exports are small and a part is what a killed run loses.
 */
export function partBytes(partNumber: number, { firstPartBytes, maxParts }: PartPlan): number {
  const doublings = Math.floor((partNumber - 1) / (maxParts / 10));
  return Math.min(largestPartBytes, firstPartBytes * 2 ** doublings);
}
