import express, { type Request, type RequestHandler, Router } from 'express';
import { hashApiKey } from '../../core/access/api-keys.ts';
import { credentialsSchema, keyTokenSeconds } from '../../core/access/tokens-of-keys.ts';
import type { Config } from '../../core/config.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { Access } from '../access/access.ts';
import type { Caller } from '../access/caller.ts';
import { rememberCaller } from '../access/identify.ts';
import { localsOf } from '../access/locals.ts';
import { requireHere } from '../access/tenancy.ts';
import { callerOf, requireCaller, unauthorized, withTenants } from '../access/tenant-route.ts';
import { bodyError, jsonBody, parse } from '../http/body.ts';

export type AuthVendorDeps = { config: Config; secretKey: SecretKey; access: Access };

/** Bytes: an id, a key, and what a client adds. */
const bodyLimitBytes = 16 * 1024;

/**
 * POST /vendor: gives a token for an API key, `{clientId, secret}` as JSON or as a form → `{token, expiresIn}`. `clientId` is
 * the key's id and `secret` the key itself. LOGFERRY_ADMIN_KEY has no id: with it as the secret, any `clientId` will do.
 *
 * What it gives acts as the key does, and ends with it. A wrong secret counts against the limit of the address, a right one
 * against that of the key: nobody's guesses keep others out.
 */
export function authVendorRoutes(deps: AuthVendorDeps): Router {
  const { config, access } = deps;
  const router = Router();
  const identify: RequestHandler = async (request, response, next) => {
    await rememberCaller(localsOf(response), () => callerOfCredentials(request, access));
    next();
  };

  router.post(
    '/vendor',
    readBody,
    identify,
    access.limit,
    requireCaller,
    withTenants({ config, tenants: access.tenants, tenantHeader: 'frontegg-tenant-id' }),
    async (_request, response) => {
      const caller = callerOf(response);
      if (caller.tenant) requireHere(response, caller.tenant);
      const token = await issue(caller, deps);
      response.set('Cache-Control', 'no-store').json({ token, expiresIn: keyTokenSeconds });
    },
  );
  return router;
}

async function callerOfCredentials(request: Request, { identity }: Access): Promise<Caller> {
  const { clientId, secret } = parse(credentialsSchema, request.body);
  const caller = await identity.ofKey(secret.trim());
  if (caller.keyId !== null && caller.keyId !== clientId.trim().toLowerCase()) throw wrong();
  return caller;
}

const wrong = () => unauthorized('The clientId is not the id of the API key that was sent as the secret.');

function issue(caller: Caller, { config, secretKey, access: { keyTokens } }: AuthVendorDeps): Promise<string> {
  const { keyId, tenant, scopes } = caller;
  // Only the key that the configuration names has no id.
  const subject = keyId ?? keyTokens.subjectOf(hashApiKey(config.LOGFERRY_ADMIN_KEY!));
  const whose = tenant ? ({ type: 'tenant', tenantId: tenant.id } as const) : ({ type: 'vendor' } as const);
  return keyTokens.issue(subject, { ...whose, vendorId: secretKey.environmentId, scopes });
}

const formType = /^application\/x-www-form-urlencoded *(;|$)/i;
const readForm = express.urlencoded({ extended: false, limit: bodyLimitBytes });
const readJson = jsonBody(bodyLimitBytes);

const readBody: RequestHandler = (request, response, next) => {
  if (!formType.test(request.headers['content-type'] ?? '')) return readJson(request, response, next);
  readForm(request, response, (error?: unknown) => next(error && bodyError(error, bodyLimitBytes)));
};
