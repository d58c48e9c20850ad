import { hashBytes } from './merkle-tree.ts';
import { signNote } from './signed-note.ts';
import type { SigningKey } from './signing-key.ts';

/** What a log says of itself: so many entries, whose tree has this root. */
export type Checkpoint = { origin: string; size: number; root: Buffer };

/** The checkpoint as a signed note (c2sp.org/tlog-checkpoint); the key has the name of the log. */
export const signCheckpoint = ({ origin, size, root }: Checkpoint, key: SigningKey): string =>
  signNote(`${origin}\n${size}\n${root.toString('base64')}\n`, origin, key);

const pattern = /^([^\n]+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*\n/;

/** What the note says, without a look at its signatures; undefined for a text that is no checkpoint. */
export function readCheckpoint(note: string): Checkpoint | undefined {
  const [, origin, size, root] = pattern.exec(note) ?? [];
  if (origin === undefined) return undefined;
  const bytes = Buffer.from(root!, 'base64');
  return bytes.length === hashBytes ? { origin, size: Number(size), root: bytes } : undefined;
}

const firstLog = 1;

/** The origin of a tenant's log: `number` 1 is the first, a log that was begun anew has its number behind it. */
export const logOrigin = (base: string, tenantId: string, number: number = firstLog): string =>
  `${base}/log/${tenantId}${number === firstLog ? '' : `/${number}`}`;

/** What logOrigin() was made of; undefined for the origin of anything but a log of this tenant. */
export function readOrigin(origin: string, tenantId: string): { base: string; number: number } | undefined {
  const at = origin.lastIndexOf(`/log/${tenantId}`);
  const [, text = String(firstLog)] = /\/(\d{1,9})$/.exec(origin.slice(at + 1 + `log/${tenantId}`.length)) ?? [];
  const base = origin.slice(0, Math.max(0, at));
  return at > 0 && logOrigin(base, tenantId, Number(text)) === origin ? { base, number: Number(text) } : undefined;
}
