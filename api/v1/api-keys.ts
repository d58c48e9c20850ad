import type { Request, RequestHandler, Response } from 'express';
import { newApiKeySchema, type Scope, scopesByName } from '../../core/access/api-keys.ts';
import type { Config } from '../../core/config.ts';
import { AppError, invalid, notFound } from '../../core/errors.ts';
import { limitsOf } from '../../core/exports/plan-limits.ts';
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
import { getTenant, refuseDeleting } from '../../prisma/tenants.ts';
import { findTenantByName, isNameOf, requireHere } from '../access/tenancy.ts';
import { auditContext, callerOf, tenancy } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { idPageOf, readIdPage } from '../http/paging.ts';
import { jsonContent, reply } from '../openapi/described.ts';
import { apiKeyExample, apiKeyWithKeyExample, pageExample } from '../openapi/examples.ts';
import { idOf, ofTenant, paging } from '../openapi/parameters.ts';
import type { Route } from '../route.ts';

type Deps = {
  config: Pick<Config, 'LOGFERRY_PLAN_LIMITS'>;
  database: Database;
  /** Called after a key was revoked, so that this process refuses it at once. */
  forget(): void;
};

const id = idOf('key');

/**
 * /v1/api-keys: a tenant's key with `keys:manage` sees and makes keys of its tenant, with no scope that it lacks itself. A
 * management key makes management keys, and keys of the tenant that `tenant_id` or the header `Logferry-Tenant` names;
 * unless it names one, it sees all.
 */
export const apiKeyRoutes: readonly Route<Deps>[] = [
  {
    id: 'createApiKey',
    method: 'post',
    path: '/v1/api-keys',
    summary: 'Make an API key',
    description:
      'A key of a tenant makes one for its tenant, with no scope that it lacks itself; it ends with the key that made it. A management key makes a management key, unless it names a tenant. The key is shown in this reply alone.',
    by: 'key management',
    body: jsonContent('NewApiKey', { key: { name: 'laptop', tenant_id: 'acme', scopes: ['events:write'] } }),
    replies: {
      201: reply('The key', {
        schema: 'ApiKeyWithKey',
        example: apiKeyWithKeyExample,
        headers: ['Location', 'Cache-Control'],
      }),
    },
    errors: ['plan_limit_exceeded'],
    handle: postApiKey,
  },
  {
    id: 'listApiKeys',
    method: 'get',
    path: '/v1/api-keys',
    summary: 'List API keys',
    by: 'key management',
    parameters: [ofTenant, ...paging],
    replies: { 200: reply('One page', { schema: 'ApiKeyPage', example: pageExample(apiKeyExample) }) },
    handle: getApiKeys,
  },
  {
    id: 'getApiKey',
    method: 'get',
    path: '/v1/api-keys/:id',
    summary: 'Read one API key',
    by: 'key management',
    parameters: [id],
    replies: { 200: reply('The key', { schema: 'ApiKey', example: apiKeyExample }) },
    handle: getOne,
  },
  {
    id: 'revokeApiKey',
    method: 'delete',
    path: '/v1/api-keys/:id',
    summary: 'Revoke an API key',
    description: 'It is refused everywhere within 5 seconds.',
    by: 'key management',
    parameters: [id],
    replies: { 204: { description: 'Done' } },
    handle: revoke,
  },
];

function postApiKey({ config, database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const asked = parse(newApiKeySchema, request.body);
    const owner = await ownerOf(request, response, asked.tenant_id);
    if (asked.expires_at && asked.expires_at <= now()) {
      throw invalid([{ path: 'expires_at', message: 'is not in the future' }]);
    }
    const { management, keyId } = callerOf(response);
    const plan = owner && (await getTenant(prisma, owner)).plan;
    const wanted = {
      name: asked.name,
      scopes: grantable(response, asked.scopes),
      expiresAt: asked.expires_at ?? null,
    };
    const { row, key } = await createApiKey(prisma, owner ?? null, wanted, {
      by: auditContext(request, response),
      parentId: management ? undefined : (keyId ?? undefined),
      limits: plan ? limitsOf(plan, config.LOGFERRY_PLAN_LIMITS) : undefined,
    });
    // The only reply that holds the key: no cache may keep it.
    response.location(`/v1/api-keys/${row.id}`);
    response.status(201).json({ ...presentApiKey(row), key });
  };
}

function getApiKeys({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const page = readIdPage(request.query);
    const { tenant_id } = request.query;
    if (tenant_id !== undefined && (typeof tenant_id !== 'string' || tenant_id === '')) {
      throw invalid([{ path: 'tenant_id', message: 'must be one id' }]);
    }
    const owner = await ownerOf(request, response, tenant_id);
    const { data, meta } = idPageOf(await listApiKeys(prisma, owner, page), page);
    response.json({ data: data.map(presentApiKey), meta });
  };
}

function getOne({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const owner = await ownerOf(request, response, undefined);
    response.json(presentApiKey(await getApiKey(prisma, owner, String(request.params.id))));
  };
}

function revoke({ database: { prisma }, forget }: Deps): RequestHandler {
  return async (request, response) => {
    const owner = await ownerOf(request, response, undefined);
    await revokeApiKey(prisma, owner, String(request.params.id), auditContext(request, response));
    forget();
    response.status(204).end();
  };
}

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
  refuseDeleting(tenant);
  return tenant.id;
}

const notOwn = (message: string): AppError => invalid([{ path: 'tenant_id', message }]);

/** The scopes asked for, or all that the caller has. @throws AppError scope_error for one that the caller lacks */
function grantable(response: Response, asked: readonly Scope[] | undefined): readonly Scope[] {
  const own = callerOf(response).scopes;
  const lacking = (asked ?? []).filter((scope) => !own.includes(scope));
  if (lacking.length === 0) return asked ?? own.filter((scope) => !scopesByName.includes(scope));
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
