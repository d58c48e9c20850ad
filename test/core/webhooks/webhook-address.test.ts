import type { LookupAddress } from 'node:dns';
import { expect, test } from 'vitest';
import { readConfig } from '../../../core/config.ts';
import { isPublicAddress, webhookGuard } from '../../../core/webhooks/webhook-address.ts';

/** Names that this table knows; all others have no address. */
const names: Record<string, string[]> = {
  'example.com': ['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
  'xn--bcher-kva.example': ['93.184.215.14'],
  'example.com.': ['93.184.215.14'],
  localhost: ['127.0.0.1', '::1'],
  'localhost.': ['127.0.0.1'],
  '127.0.0.1.nip.io': ['127.0.0.1'],
  'metadata.google.internal': ['169.254.169.254'],
  'half.example': ['93.184.215.14', '10.0.0.1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'lan.example': ['192.168.1.4'],
};

async function lookup(hostname: string): Promise<LookupAddress[]> {
  const found = names[hostname];
  if (!found) throw new Error(`ENOTFOUND ${hostname}`);
  return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
}

const guard = webhookGuard({ lookup });

test.each([
  'https://example.com',
  'https://example.com/hooks?a=b%20c',
  'https://example.com:443/',
  'https://example.com:8443/hooks',
  'https://example.com./',
  'HTTPS://EXAMPLE.COM/',
  'https://bücher.example/',
  'https://93.184.215.14/',
  'https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/',
  'https://has-no-address-yet.example/',
])('takes %s', async (url) => {
  expect(await guard.mistakeIn(url)).toBeUndefined();
});

const forbiddenUrls = [
  'https://127.0.0.1/',
  'https://127.1/',
  'https://127.255.255.254/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0x7f.0.0.1/',
  'https://0177.0.0.1/',
  'https://017700000001/',
  'https://127%2e0.0.1/',
  'https://１２７.0.0.1/',
  'https://①②⑦.0.0.1/',
  'https://0/',
  'https://0.0.0.0/',
  'https://[::]/',
  'https://[::1]/',
  'https://[0:0:0:0:0:0:0:1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[::ffff:93.184.215.14]/',
  'https://[::127.0.0.1]/',
  'https://[::a9fe:a9fe]/',
  'https://[::ffff:0:127.0.0.1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[64:ff9b:1::a9fe:a9fe]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/',
  'https://[fe80::1]/',
  'https://[fec0::1]/',
  'https://[fc00::1]/',
  'https://[fd00:ec2::254]/',
  'https://[ff02::1]/',
  'https://[100::1]/',
  'https://[2001:db8::1]/',
  'https://[3fff::1]/',
  'https://[4000::1]/',
  'https://169.254.169.254/latest/meta-data/',
  'https://168.63.129.16/',
  'https://100.100.100.200/',
  'https://192.0.0.192/',
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://172.31.255.255/',
  'https://192.168.0.1/',
  'https://192.0.2.1/',
  'https://198.18.0.1/',
  'https://198.51.100.1/',
  'https://203.0.113.1/',
  'https://224.0.0.1/',
  'https://240.0.0.1/',
  'https://255.255.255.255/',
  'https://localhost/',
  'https://localhost./',
  'https://LOCALHOST/',
  'https://127.0.0.1.nip.io/',
  'https://metadata.google.internal/',
  'https://half.example/',
  'https://mapped.example/',
  'https://lan.example/',
];

const malformedUrls = [
  '',
  'example.com/hooks',
  '//example.com/',
  'https://',
  'https:///',
  'http://example.com/',
  'http://93.184.215.14/',
  'http://has-no-address-yet.example/',
  'ftp://example.com/',
  'file:///etc/passwd',
  'gopher://example.com/',
  'javascript:alert(1)',
  'https://user@example.com/',
  'https://user:word@example.com/',
  'https://example.com@127.0.0.1/',
  'https://example.com/#fragment',
  'https://example.com/#',
  'https://example.com:22/',
  'https://example.com:80/',
  'https://example.com:99999/',
  'https:\\\\127.0.0.1\\',
  'https://example.com\\@127.0.0.1/',
  ' https://example.com/',
  'https://exa\tmple.com/',
  'https://example.com/\r\nHost: a',
  'https://example.com/\0',
  'https://[fe80::1%25eth0]/',
  'https://[::1',
  'https://256.256.256.256/',
];

test.each([...forbiddenUrls, ...malformedUrls])('refuses %j', async (url) => {
  expect(await guard.mistakeIn(url)).toBeTypeOf('string');
});

test.each(forbiddenUrls)('gives no address to connect to for %s', async (text) => {
  const { protocol, hostname } = new URL(text);
  await expect(guard.addressesOf({ protocol, hostname: hostname.replace(/^\[|\]$/g, '') })).rejects.toThrow(
    'not public',
  );
});

test('gives the addresses that it has checked', async () => {
  expect(await guard.addressesOf({ protocol: 'https:', hostname: 'example.com' })).toEqual(await lookup('example.com'));
});

test('opens what the operator names, for http too', async () => {
  const open = webhookGuard({ lookup, allow: ['127.0.0.0/8', '::1', '192.168.1.4'] });
  expect(await open.mistakeIn('http://127.0.0.1:3000/')).toBeUndefined();
  expect(await open.mistakeIn('http://[::1]:3000/')).toBeUndefined();
  expect(await open.mistakeIn('http://localhost:3000/')).toBeUndefined();
  expect(await open.mistakeIn('http://lan.example/')).toBeUndefined();
  expect(await open.mistakeIn('https://10.0.0.1/')).toContain('not public');
  expect(await open.mistakeIn('http://example.com/')).toContain('https');
});

test('refuses to open what is neither a CIDR nor an address', () => {
  expect(() => webhookGuard({ allow: ['localhost'] })).toThrow('localhost');
  expect(() => webhookGuard({ allow: ['10.0.0.0/33'] })).toThrow('10.0.0.0/33');
});

test('says at the start which variable does not hold CIDRs', () => {
  expect(() => readConfig({ LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8, my-localhost' })).toThrow(
    'LOGFERRY_WEBHOOK_ALLOW must be CIDRs',
  );
});

test('takes no text for a public address that is none', () => {
  for (const text of ['', 'example.com', 'fe80::1%eth0', '::']) expect(isPublicAddress(text)).toBe(false);
});
