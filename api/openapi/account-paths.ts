import {
  apiKeyExample,
  apiKeyWithKeyExample,
  limitsExample,
  pageExample,
  regionExample,
  tenantExample,
} from './examples.ts';
import { jsonBody, type Paths, reply } from './operation.ts';
import { idOf, ofTenant, paging } from './parameters.ts';

const tenantId = { ...idOf('tenant'), description: 'Of the tenant, or its external_id' };
const keyId = idOf('key');

/** Tenants, for the management alone. */
export const tenantPaths = (): Paths => ({
  '/v1/tenants': {
    post: {
      id: 'createTenant',
      summary: 'Make a tenant',
      by: 'management',
      body: jsonBody('NewTenant', { tenant: { name: 'Acme', plan: 'pro', external_id: 'acme' } }),
      replies: { 201: reply('The tenant', { schema: 'Tenant', example: tenantExample, headers: ['Location'] }) },
      errors: ['conflict'],
    },
    get: {
      id: 'listTenants',
      summary: 'List tenants',
      by: 'management',
      parameters: paging,
      replies: { 200: reply('One page', { schema: 'TenantPage', example: pageExample(tenantExample) }) },
    },
  },
  '/v1/tenants/{id}': {
    get: {
      id: 'getTenant',
      summary: 'Read one tenant',
      by: 'management',
      parameters: [tenantId],
      replies: { 200: reply('The tenant', { schema: 'Tenant', example: tenantExample }) },
    },
    patch: {
      id: 'changeTenant',
      summary: 'Change a tenant',
      description: 'What is left out stays.',
      by: 'management',
      parameters: [tenantId],
      body: jsonBody('TenantChanges', { plan: { plan: 'enterprise' } }),
      replies: { 200: reply('The tenant', { schema: 'Tenant', example: tenantExample }) },
      errors: ['conflict'],
    },
  },
});

/** API keys, for the management, and for those of a tenant that may manage them. */
export const apiKeyPaths = (): Paths => ({
  '/v1/api-keys': {
    post: {
      id: 'createApiKey',
      summary: 'Make an API key',
      description:
        'A key of a tenant makes one for its tenant, with no scope that it lacks itself. A management key makes a management key, unless it names a tenant. The key is shown in this reply alone.',
      by: 'key management',
      body: jsonBody('NewApiKey', { key: { name: 'laptop', tenant_id: 'acme', scopes: ['events:write'] } }),
      replies: {
        201: reply('The key', {
          schema: 'ApiKeyWithKey',
          example: apiKeyWithKeyExample,
          headers: ['Location', 'Cache-Control'],
        }),
      },
    },
    get: {
      id: 'listApiKeys',
      summary: 'List API keys',
      by: 'key management',
      parameters: [ofTenant, ...paging],
      replies: { 200: reply('One page', { schema: 'ApiKeyPage', example: pageExample(apiKeyExample) }) },
    },
  },
  '/v1/api-keys/{id}': {
    get: {
      id: 'getApiKey',
      summary: 'Read one API key',
      by: 'key management',
      parameters: [keyId],
      replies: { 200: reply('The key', { schema: 'ApiKey', example: apiKeyExample }) },
      anyQuery: true,
    },
    delete: {
      id: 'revokeApiKey',
      summary: 'Revoke an API key',
      description: 'It is refused everywhere within 5 seconds.',
      by: 'key management',
      parameters: [keyId],
      replies: { 204: { description: 'Done' } },
      anyQuery: true,
    },
  },
});

/** What a caller has and where it has it. */
export const limitPaths = (): Paths => ({
  '/v1/limits': {
    get: {
      id: 'getLimits',
      summary: 'Read the limits, and what is used of them',
      by: 'any key',
      replies: { 200: reply('The limits', { schema: 'Limits', example: limitsExample, headers: ['Cache-Control'] }) },
    },
  },
  '/v1/regions': {
    get: {
      id: 'listRegions',
      summary: 'List the regions and their base URLs',
      by: 'anybody',
      replies: { 200: reply('All of them', { schema: 'RegionPage', example: pageExample(regionExample) }) },
      anyQuery: true,
    },
  },
});
