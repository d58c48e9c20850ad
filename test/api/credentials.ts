import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { makeApiKey, scopes } from '../../core/access/api-keys.ts';
import { keyTokenSeconds, openKeyTokens } from '../../core/access/tokens-of-keys.ts';
import { newId } from '../../core/ids.ts';
import { type Forge, forgeries, goodToken } from '../core/access/forged-tokens.ts';
import { type App, bodyOf, type Tenant } from './start-app.ts';

const issuer = 'https://login.example.com';
const audience = 'logferry';
const permission = 'fe.secure.read.audits';
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicText = publicKey.export({ type: 'spki', format: 'pem' }).toString();

/** With these an app takes users' tokens that are signed here, and users may do all that a key may. */
export const tokenSettings = {
  JWT_PUBLIC_KEY: publicText,
  JWT_ISSUER: issuer,
  JWT_AUDIENCE: audience,
  JWT_PERMISSIONS: JSON.stringify({ [permission]: scopes }),
};

const forge = (forgersUrl = ''): Forge => ({
  alg: 'RS256',
  kid: 'k1',
  key: privateKey,
  publicText,
  issuer,
  audience,
  forgersUrl,
  now: Math.floor(Date.now() / 1000),
});

/** The id of the only key that a tenant has. */
export const keyIdOf = async (app: App, tenant: Tenant): Promise<string> =>
  (await bodyOf(app.admin(`/v1/api-keys?tenant_id=${tenant.id}`))).data[0].id;

const tokenOf = async (app: App, clientId: string, secret: string): Promise<string> =>
  (await bodyOf(app.caller('')('/auth/vendor', { json: { clientId, secret } }))).token;

/** A token of a user of this tenant (id or external id), who may do all that a key may. */
export const userTokenFor = (tenantId: string): string => goodToken(forge(), { tenantId });

/** What a new tenant with all scopes may send, by what it is. */
export async function credentialsOfATenant(app: App): Promise<Record<string, string>> {
  const { tenant, key } = await app.newTenant();
  return {
    'a key': key,
    'the token of a key': await tokenOf(app, await keyIdOf(app, tenant), key),
    "a user's token": userTokenFor(tenant.id),
  };
}

/** What must open nothing, by what is wrong with it. */
export async function badCredentials(app: App, forgersUrl: string): Promise<Record<string, string>> {
  // Those that the forged tokens name: whoever takes one of them acts for somebody.
  for (const external_id of ['acme', 'other']) await app.newTenant({ external_id });
  const userTokens = Object.entries(forgeries).map(([what, make]) => [
    `a user's token ${what}`,
    make(forge(forgersUrl)),
  ]);
  return { ...(await badKeys(app)), ...(await badKeyTokens(app)), ...Object.fromEntries(userTokens) };
}

async function badKeys(app: App): Promise<Record<string, string>> {
  const [revoked, expired] = [await app.newTenant(), await app.newTenant()];
  await app.admin(`/v1/api-keys/${await keyIdOf(app, revoked.tenant)}`, { method: 'DELETE' });
  await app.database.pool.query('update api_keys set expires_at = now() where id = $1', [
    await keyIdOf(app, expired.tenant),
  ]);
  return {
    'a revoked key': revoked.key,
    'an expired key': expired.key,
    'a key that nobody made': makeApiKey('tenant'),
    'a management key that nobody made': makeApiKey('management'),
    'a key of LogProof': 'lp_sk_2Nz9Q8kL3Fy',
  };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64url');

async function badKeyTokens(app: App): Promise<Record<string, string>> {
  const { tenant, key } = await app.newTenant();
  const revoked = await app.newTenant();
  const [keyId, revokedId] = [await keyIdOf(app, tenant), await keyIdOf(app, revoked.tenant)];
  const ofRevoked = await tokenOf(app, revokedId, revoked.key);
  await app.admin(`/v1/api-keys/${revokedId}`, { method: 'DELETE' });
  const claims = { type: 'tenant', vendorId: newId(), tenantId: tenant.id, scopes } as const;
  const { tokenKeys } = app.deps.secretKey;
  const past = () => Date.now() - (keyTokenSeconds + 60) * 1000;
  const [header, payload, signature] = (await tokenOf(app, keyId, key)).split('.') as [string, string, string];
  const asManagement = Buffer.from(payload, 'base64url').toString().replace('"tenant"', '"vendor"');
  return {
    'the token of a revoked key': ofRevoked,
    'the token of a key, expired': await openKeyTokens(tokenKeys, past).issue(keyId, claims),
    'the token of a key, signed with another secret': await openKeyTokens([randomBytes(32)]).issue(keyId, claims),
    'the token of a key, not signed': `${base64('{"alg":"none","typ":"JWT"}')}.${payload}.`,
    'the token of a key, with its signature cut': `${header}.${payload}.${signature.slice(0, -4)}`,
    'the token of a key, made one of the management': `${header}.${base64(asManagement)}.${signature}`,
  };
}
