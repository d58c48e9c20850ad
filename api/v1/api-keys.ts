import { type Request, type RequestHandler, type Response, Router } from 'express';
import { newApiKeySchema, type Scope } from '../../core/access/api-keys.ts';
import { AppError, invalid, notFound } from '../../core/errors.ts';
import { formatTimestamp, now } from '../../core/times.ts';
import {
  type ApiKeyRow,
  createApiKey,
  getApiKey,
  type KeyOwner,
  listApiKeys,
  revokeApiKey,
} from '../../prisma/api-keys.ts';
import type { Database } from '../../prisma/client.ts';
import { findTenantByName, isNameOf, requireHere } from '../access/tenancy.ts';
import { callerOf, requireScope, tenancy } from '../access/tenant-route.ts';
import { jsonBody, parse } from '../http/body.ts';
import { pageOf, readIdPage, refuseUnknownQuery } from '../http/paging.ts';

export type ApiKeyRoutesDeps = {
  database: Database;
  /** Called after a key was revoked, so that this process refuses it at once. */
  forget(): void;
};

/**
 * /api-keys: a tenant's key with `keys:manage` sees and makes keys of its tenant, with no scope that it lacks itself. A
 * management key makes management keys, and keys of the tenant that `tenant_id` or the header `Logferry-Tenant` names;
 * unless it names one, it sees all.
 */
export function apiKeyRoutes({ database: { prisma }, forget }: ApiKeyRoutesDeps): Router {
  const router = Router();

  router.post('/api-keys', keyManagement, jsonBody(), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const asked = parse(newApiKeySchema, request.body);
    const owner = await ownerOf(request, response, asked.tenant_id);
    if (asked.expires_at && asked.expires_at <= now()) {
      throw invalid([{ path: 'expires_at', message: 'is not in the future' }]);
    }
    const { row, key } = await createApiKey(prisma, owner ?? null, {
      name: asked.name,
      scopes: grantable(response, asked.scopes),
      expiresAt: asked.expires_at ?? null,
    });
    // The only reply that holds the key: no cache may keep it.
    response.set('Cache-Control', 'no-store').location(`/v1/api-keys/${row.id}`);
    response.status(201).json({ ...presentApiKey(row), key });
  });

  router.get('/api-keys', keyManagement, async (request, response) => {
    const { limit, afterId } = readIdPage(request.query, ['tenant_id']);
    const { tenant_id } = request.query;
    if (tenant_id !== undefined && (typeof tenant_id !== 'string' || tenant_id === '')) {
      throw invalid([{ path: 'tenant_id', message: 'must be one id' }]);
    }
    const owner = await ownerOf(request, response, tenant_id);
    const { data, meta } = pageOf(await listApiKeys(prisma, owner, limit + 1, afterId), limit, ({ id }) => ({ id }));
    response.json({ data: data.map(presentApiKey), meta });
  });

  router.get('/api-keys/:id', keyManagement, async (request, response) => {
    const owner = await ownerOf(request, response, undefined);
    response.json(presentApiKey(await getApiKey(prisma, owner, String(request.params.id))));
  });

  router.delete('/api-keys/:id', keyManagement, async (request, response) => {
    const owner = await ownerOf(request, response, undefined);
    await revokeApiKey(prisma, owner, String(request.params.id));
    forget();
    response.status(204).end();
  });

  return router;
}

const keyManagement: RequestHandler = (_request, response, next) => {
  if (!callerOf(response).management) requireScope(response, 'keys:manage');
  next();
};

/**
 * Whose keys the request is about: `named` (id or external id), or the tenant that the caller acts for.
 * @throws AppError as tenantRoute() does, and validation_error when two tenants are named
 */
async function ownerOf(request: Request, response: Response, named: string | undefined): Promise<KeyOwner> {
  const acting = await tenancy(request, response).findTenant();
  if (named === undefined || (acting && isNameOf(acting, named))) return acting?.id;
  if (!callerOf(response).management) throw notOwn('is another tenant than that of the key; leave it out');
  const tenant = await findTenantByName(response, named);
  if (!tenant) throw notFound('tenant');
  if (acting && acting.id !== tenant.id) throw notOwn('is another tenant than the header Logferry-Tenant names');
  requireHere(response, tenant);
  return tenant.id;
}

const notOwn = (message: string): AppError => invalid([{ path: 'tenant_id', message }]);

/** The scopes asked for, or all that the caller has. @throws AppError scope_error for one that the caller lacks */
function grantable(response: Response, asked: readonly Scope[] | undefined): readonly Scope[] {
  const own = callerOf(response).scopes;
  const lacking = (asked ?? []).filter((scope) => !own.includes(scope));
  if (lacking.length === 0) return asked ?? own;
  const message = `A key cannot give what it lacks: ${lacking.join(', ')}. It has ${own.join(', ')}.`;
  throw new AppError('scope_error', message);
}

/** A key as the API shows it: never the key itself. */
const presentApiKey = (row: ApiKeyRow) => ({
  id: row.id,
  name: row.name,
  scopes: row.scopes,
  tenant_id: row.tenantId,
  prefix: row.prefix,
  created_at: formatTimestamp(row.createdAt),
  expires_at: row.expiresAt && formatTimestamp(row.expiresAt),
  revoked_at: row.revokedAt && formatTimestamp(row.revokedAt),
});
