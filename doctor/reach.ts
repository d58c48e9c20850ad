import { isIP } from 'node:net';
import { isPublicAddress } from '../core/webhooks/webhook-address.ts';

/** From how far away an address makes sense. `everywhere` is no address, but all that a machine has (0.0.0.0). */
export type Reach = 'everywhere' | 'machine' | 'network' | 'world';

/** Endings of names that public resolvers do not know (RFC 6761, RFC 6762, RFC 8375, and ICANN's .internal). */
const innerNames = /\.(local|internal|test|lan|home\.arpa|svc|cluster\.local)$/;

/** Judges a host by its form, and asks no resolver. @param hostname as in a URL: brackets around IPv6 may be there */
export function reachOf(hostname: string): Reach {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (host === '0.0.0.0' || host === '::') return 'everywhere';
  if (host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\./.test(host)) return 'machine';
  if (isIP(host)) return isPublicAddress(host) ? 'world' : 'network';
  return !host.includes('.') || innerNames.test(host) ? 'network' : 'world';
}
