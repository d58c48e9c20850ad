import querystring from 'node:querystring';
import type { Request, RequestHandler } from 'express';
import { hashApiKey } from '../../core/access/api-keys.ts';
import { credentialsSchema, keyTokenSeconds } from '../../core/access/tokens-of-keys.ts';
import type { Config } from '../../core/config.ts';
import { bodyLimitBytes } from '../../core/limits/bodies.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { Access } from '../access/access.ts';
import type { Caller } from '../access/caller.ts';
import { rememberCaller } from '../access/identify.ts';
import { localsOf } from '../access/locals.ts';
import { requireHere } from '../access/tenancy.ts';
import { callerOf, requireCaller, unauthorized, withTenants } from '../access/tenant-route.ts';
import { jsonBody, parse, readBody } from '../http/body.ts';
import { ref } from '../openapi/components.ts';
import { reply } from '../openapi/described.ts';
import type { Route } from '../route.ts';

type Deps = { config: Config; secretKey: SecretKey; access: Access };

const example = { clientId: '01a2047e-98dd-7000-8000-000000000007', secret: `lf_sk_${'0'.repeat(36)}` };

/**
 * Gives a token for an API key. `clientId` is the key's id and `secret` the key itself. LOGFERRY_ADMIN_KEY has no id: with it
 * as the secret, any `clientId` will do.
 *
 * What it gives acts as the key does, and ends with it. A wrong secret counts against the limit of the address, a right one
 * against that of the key: nobody's guesses keep others out.
 */
export const getToken: Route<Deps> = {
  id: 'getToken',
  method: 'post',
  path: '/auth/vendor',
  summary: 'Get a token for an API key',
  description:
    'It acts as the key does, for an hour, and ends with it. That of a management key acts for any tenant, by the header `frontegg-tenant-id`.',
  by: 'anybody',
  body: {
    'application/json': { schema: ref('Credentials'), example },
    'application/x-www-form-urlencoded': { schema: ref('Credentials'), example },
  },
  replies: {
    200: reply('The token', {
      schema: 'Token',
      example: { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl', expiresIn: 3600 },
      headers: ['Cache-Control'],
    }),
  },
  errors: ['authentication_error', 'misdirected_request'],
  errorFamily: 'frontegg',
  anyQuery: true,
  readBody: readJsonOrForm(),
  handle: postCredentials,
};

function postCredentials(deps: Deps): RequestHandler[] {
  const { config, access } = deps;
  const identify: RequestHandler = async (request, response, next) => {
    await rememberCaller(localsOf(response), () => callerOfCredentials(request, access));
    next();
  };
  const lookup = withTenants({ config, tenants: access.tenants, tenantHeader: 'frontegg-tenant-id' });
  const sendToken: RequestHandler = async (_request, response) => {
    const caller = callerOf(response);
    if (caller.tenant) requireHere(response, caller.tenant);
    const token = await issue(caller, deps);
    response.set('Cache-Control', 'no-store').json({ token, expiresIn: keyTokenSeconds });
  };
  return [identify, ...access.limit, requireCaller, lookup, sendToken];
}

async function callerOfCredentials(request: Request, { identity }: Access): Promise<Caller> {
  const { clientId, secret } = parse(credentialsSchema, request.body);
  const caller = await identity.ofKey(secret.trim(), request.ip);
  if (caller.keyId !== null && caller.keyId !== clientId.trim().toLowerCase()) throw wrong();
  return caller;
}

const wrong = () => unauthorized('The clientId is not the id of the API key that was sent as the secret.');

function issue(caller: Caller, { config, secretKey, access: { keyTokens } }: Deps): Promise<string> {
  const { keyId, tenant, scopes } = caller;
  // Only the key that the configuration names has no id.
  const subject = keyId ?? keyTokens.subjectOf(hashApiKey(config.LOGFERRY_ADMIN_KEY!));
  const whose = tenant ? ({ type: 'tenant', tenantId: tenant.id } as const) : ({ type: 'vendor' } as const);
  return keyTokens.issue(subject, { ...whose, vendorId: secretKey.environmentId, scopes });
}

/** Clients send it as JSON or as a form. */
function readJsonOrForm(): RequestHandler {
  const formType = /^application\/x-www-form-urlencoded *(;|$)/i;
  const readJson = jsonBody(bodyLimitBytes.token);
  return async (request, response, next) => {
    if (!formType.test(request.headers['content-type'] ?? '')) return readJson(request, response, next);
    const bytes = await readBody(request, response, bodyLimitBytes.token);
    request.body = bytes && querystring.parse(bytes.toString());
    next();
  };
}
