import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { within } from '../async/within.ts';

/** Finds all addresses of a name, as `dns.promises.lookup(name, { all: true })` does. */
export type Lookup = (hostname: string) => Promise<LookupAddress[]>;

/** A webhook leads, or now leads, where webhooks may not go. The message is public. */
export class ForbiddenAddressError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ForbiddenAddressError';
  }
}

/** Where webhooks may go: public addresses by https, and what the operator has opened. */
export type WebhookGuard = {
  /**
   * Why a URL cannot be a webhook's, or undefined if it can. A name that has no address at the moment passes: what counts
   * is checked again at each delivery.
   */
  mistakeIn(url: string): Promise<string | undefined>;
  /**
   * The addresses of a host (a name or a literal without brackets), every one of which may be connected to by this
   * protocol. The client must connect to one of these and look nothing up again.
   * @throws ForbiddenAddressError if one may not; the error of the look-up if there is none
   */
  addressesOf(target: { protocol: string; hostname: string }): Promise<LookupAddress[]>;
};

const notPublic =
  'leads to an address that is not public. Webhooks go to public addresses only; the operator can open others with ' +
  'LOGFERRY_WEBHOOK_ALLOW';
const notHttps = 'must begin with https://';

/** Milliseconds that a registration waits for a name's addresses. */
const lookupTimeoutMs = 2_000;

const allAddresses: Lookup = (hostname) => systemLookup(hostname, { all: true });

/**
 * @param allow CIDRs or addresses (LOGFERRY_WEBHOOK_ALLOW) that are open besides the public ones, for http too
 * @throws Error that names the entry which is neither
 */
export function webhookGuard({ allow = [] as readonly string[], lookup = allAddresses } = {}): WebhookGuard {
  const open = allow.map(parseRange);
  const isOpen = (address: string) => open.some((range) => contains(range, address));
  return {
    async addressesOf({ protocol, hostname }) {
      const family = isIP(hostname);
      const addresses = family ? [{ address: hostname, family }] : await lookup(hostname);
      if (addresses.length === 0) throw new Error(`no address for ${hostname}`);
      for (const { address } of addresses) {
        if (isOpen(address)) continue;
        if (!isPublicAddress(address)) throw new ForbiddenAddressError(notPublic);
        if (protocol !== 'https:') throw new ForbiddenAddressError(notHttps);
      }
      return addresses;
    },
    async mistakeIn(text) {
      const mistake = mistakeInForm(text);
      if (mistake) return mistake;
      const { protocol, hostname } = new URL(text);
      try {
        await within(
          lookupTimeoutMs,
          'the look-up',
          this.addressesOf({ protocol, hostname: hostname.replace(/^\[|\]$/g, '') }),
        );
        return undefined;
      } catch (error) {
        if (error instanceof ForbiddenAddressError) return error.message;
        return protocol === 'https:' ? undefined : notHttps;
      }
    },
  };
}

/** What can be said of a URL without looking anything up. */
function mistakeInForm(text: string): string | undefined {
  if (/[\s\p{Cc}\\]/u.test(text)) return 'must hold no white space, controls or backslashes';
  if (!URL.canParse(text)) return 'must be a URL such as https://example.com/hooks';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return notHttps;
  if (url.username || url.password) return 'must hold no user name or password';
  if (text.includes('#')) return 'must hold no fragment (#…)';
  if (url.port !== '' && Number(url.port) < 1024) return 'must name no port below 1024 but 443';
  return undefined;
}

/** Azure's platform service: reachable from each of its machines, and public by number. */
const platformAddresses = ['168.63.129.16'];

/** Where IPv6 hands out public addresses today (RFC 4291, IANA); what is outside can stand for an IPv4 address or nothing. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

/** Whether an address is one of the public internet: no loopback, private, link-local, translated or reserved one. */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== 'unicast') return false;
  if (address instanceof ipaddr.IPv6) return address.match(globalUnicast);
  return !platformAddresses.includes(address.toString());
}

type Range = ReturnType<typeof ipaddr.parseCIDR>;

/** What `localhost` leads to (RFC 6761 section 6.3). */
export const loopbackRanges: readonly string[] = ['127.0.0.0/8', '::1/128'];

/** Whether a text is a CIDR such as `10.0.0.0/8`, or one address. */
export const isRange = (text: string): boolean => isIP(text) !== 0 || ipaddr.isValidCIDR(text);

function parseRange(text: string): Range {
  if (!isRange(text)) throw new Error(`"${text}" is neither a CIDR nor an address`);
  return ipaddr.parseCIDR(isIP(text) === 0 ? text : `${text}/${isIP(text) === 4 ? 32 : 128}`);
}

function contains(range: Range, text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  return address.kind() === range[0].kind() && address.match(range);
}
