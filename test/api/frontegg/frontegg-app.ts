import { createSecretKey, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { bodyOf, type Init, startApp } from '../start-app.ts';

const issuer = 'https://login.example.com';

/** Columns of a file that a test asks for, by name. */
export const columns = (...names: string[]) => ({ json: { properties: names.map((name) => ({ name })) } });

/** The API as a customer of Frontegg's has it: an environment token for backends, and tokens for users of tenants. */
export async function startFronteggApp(
  environment: Record<string, string> = {},
  overrides: Parameters<typeof startApp>[1] = {},
) {
  const secret = randomBytes(32).toString('hex');
  const jwt = { JWT_ISSUER: issuer, JWT_AUDIENCE: 'logferry', JWT_SECRET: secret };
  const app = await startApp({ ...jwt, ...environment }, overrides);
  const { id, key } = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'environment' } }));
  const credentials = { clientId: id as string, secret: key as string };
  const { token } = await bodyOf(app.admin('/auth/vendor', { json: credentials }));

  const call = (path: string, { json, headers, ...init }: Init = {}) =>
    fetch(app.url + path, {
      ...(json !== undefined && { method: 'POST', body: JSON.stringify(json) }),
      ...init,
      headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...(headers as object) },
    });
  return {
    ...app,
    credentials,
    environmentToken: token as string,
    call,
    /** Calls with the environment token, for the tenant if one is named. */
    asEnvironment:
      (tenantId?: string) =>
      (path: string, init: Init = {}) => {
        const headers = { 'x-access-token': token, ...(tenantId && { 'frontegg-tenant-id': tenantId }) };
        return call(path, { ...init, headers: { ...headers, ...(init.headers as object) } });
      },
    /** A token of a user of the tenant, who may read audits unless told otherwise. */
    userToken: (tenantId: string, permissions = ['fe.secure.read.audits']) =>
      new SignJWT({ tenantId, permissions, name: 'User', email: 'user@example.com', type: 'userToken' })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject('user-1')
        .setIssuer(issuer)
        .setAudience('logferry')
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(createSecretKey(secret, 'utf8')),
  };
}

export type FronteggApp = Awaited<ReturnType<typeof startFronteggApp>>;
