/** Levels of the tree in a tile, and hashes in a full one (c2sp.org/tlog-tiles). */
export const tileHeight = 8;
export const tileWidth = 2 ** tileHeight;

/**
 * One tile: hash i of it is the root over the 256^level leaves from (256 × index + i) × 256^level on. A width below 256 is that
 * of a partial one.
 */
export type Tile = { level: number; index: number; width: number };

/** Gives the hashes of a tile, one behind the other; at least `width` of them. */
export type ReadTile = (tile: Tile) => Promise<Uint8Array>;

const levelPattern = /^(?:0|[1-9]\d?)$/;
const highestLevel = 63;
const partialPattern = /^(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])$/;

/** The level that stands in a path; undefined for what is none. */
export function parseLevel(text: string): number | undefined {
  return levelPattern.test(text) && Number(text) <= highestLevel ? Number(text) : undefined;
}

/**
 * Index and width that the end of a path names, given as its segments: `x001/x234/067` is tile 1234067, and `067.p/12` the
 * first 12 hashes of tile 67. Undefined for any other spelling.
 */
export function parseTileName(segments: readonly string[]): Pick<Tile, 'index' | 'width'> | undefined {
  const isPartial = segments.at(-2)?.endsWith('.p') ?? false;
  const width = isPartial ? segments.at(-1)! : undefined;
  if (width !== undefined && !partialPattern.test(width)) return undefined;
  const elements = isPartial ? [...segments.slice(0, -2), segments.at(-2)!.slice(0, -2)] : segments;
  const digits = elements.map((element, at) => (at < elements.length - 1 ? element.replace(/^x/, '') : element));
  const index = Number(digits.join(''));
  if (!Number.isSafeInteger(index) || index < 0 || tileIndexPath(index) !== elements.join('/')) return undefined;
  return { index, width: width === undefined ? tileWidth : Number(width) };
}

/** The index in elements of three digits, all but the last with an `x` before them. */
export function tileIndexPath(index: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const elements = padded.match(/\d{3}/g)!;
  return elements.map((element, at) => (at < elements.length - 1 ? `x${element}` : element)).join('/');
}

/** How many hashes there are at this level of a tree of so many leaves. */
export const hashesAtLevel = (size: number, level: number): number => Math.floor(size / tileWidth ** level);
