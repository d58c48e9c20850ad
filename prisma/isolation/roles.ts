import { createHash } from 'node:crypto';

/**
 * The roles that statements run as besides the owner of the tables: `reader` sees the events of one tenant, `lists` those of
 * several (a management key's lists and figures), `ingest` writes events and reads none. None can log in.
 */
export const roleKinds = ['reader', 'lists', 'ingest'] as const;
export type RoleKind = (typeof roleKinds)[number];

/** PostgreSQL cuts longer names off in silence (NAMEDATALEN), and two databases would have one role. */
const mostBytes = 63;
const digestLength = 8;

/** Roles belong to a server and not to a database, so their names say of which they are; of a long one by a digest. */
export function roleName(kind: RoleKind, database: string): string {
  const prefix = `logferry_${kind}_`;
  if (Buffer.byteLength(prefix + database) <= mostBytes) return prefix + database;
  const digest = createHash('sha256').update(database).digest('hex').slice(0, digestLength);
  const room = mostBytes - Buffer.byteLength(prefix) - digestLength - 1;
  return `${prefix}${beginning(database, room)}_${digest}`;
}

/** So many bytes at most, no character cut in two. */
function beginning(text: string, mostBytes: number): string {
  let kept = '';
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > mostBytes) break;
    kept += character;
  }
  return kept;
}
