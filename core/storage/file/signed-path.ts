import { createHmac, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from '../../secret-key.ts';

/** What a signed path stands for; `expires` is in Unix seconds. */
export type SignedLink = { key: string; expires: number; contentType: string; contentDisposition: string };

/** What openSignedPath found. Nothing of a link is to be believed unless it is `good`. */
export type OpenedLink =
  | { outcome: 'good'; contentType: string; contentDisposition: string }
  | { outcome: 'wrong' }
  | { outcome: 'expired' };

/** The path and query under the public URL at which the object may be fetched with GET (and HEAD) until `expires`. */
export function signPath(linkKey: Buffer, link: SignedLink): string {
  const expires = String(link.expires);
  const query = new URLSearchParams({ expires, type: link.contentType, disposition: link.contentDisposition });
  query.set('signature', signature(linkKey, [link.key, expires, link.contentType, link.contentDisposition]));
  return `/files/${link.key.split('/').map(encodeURIComponent).join('/')}?${query}`;
}

/** openSignedPath() by whichever of these keys has signed it. */
export function openSignedPathByAny(linkKeys: KeyRing, request: Parameters<typeof openSignedPath>[1]): OpenedLink {
  const opened = linkKeys.map((linkKey) => openSignedPath(linkKey, request));
  return opened.find(({ outcome }) => outcome !== 'wrong') ?? { outcome: 'wrong' };
}

/**
 * Checks what signPath made. `key` is the decoded path below /files/. The signature is judged before the expiry, so
 * that only the holder of a real link learns that it expired.
 */
export function openSignedPath(
  linkKey: Buffer,
  { key, query, now }: { key: string; query: URLSearchParams; now: Date },
): OpenedLink {
  const [expires, contentType, contentDisposition, given] = ['expires', 'type', 'disposition', 'signature'].map(
    (name) => (query.getAll(name).length === 1 ? query.get(name)! : undefined),
  );
  if (expires === undefined || contentType === undefined || contentDisposition === undefined || given === undefined) {
    return { outcome: 'wrong' };
  }
  const right = signature(linkKey, [key, expires, contentType, contentDisposition]);
  if (!sameText(given, right)) return { outcome: 'wrong' };
  if (now.getTime() >= Number(expires) * 1000) return { outcome: 'expired' };
  return { outcome: 'good', contentType, contentDisposition };
}

/** JSON keeps the fields apart whatever they hold, so that no two links share a signed text. */
function signature(linkKey: Buffer, fields: string[]): string {
  return createHmac('sha256', linkKey)
    .update(JSON.stringify(['GET', '/files', ...fields]))
    .digest('base64url');
}

function sameText(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
