import type { RequestHandler } from 'express';
import { AppError, invalid, notFound } from '../../core/errors.ts';
import { entityName, newMetadataSchema, presetProperties } from '../../core/frontegg/metadata.ts';
import { findUnstorable, parseJson } from '../../core/json/json.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { Database, Prisma } from '../../prisma/client.ts';
import { callerOf, requireScope } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { jsonContent, reply } from '../openapi/described.ts';
import { metadataExample } from '../openapi/examples.ts';
import type { Route } from '../route.ts';
import { fronteggCall, query } from './described.ts';

type Deps = { database: Database; secretKey: SecretKey };

/** Where the columns are kept that the management has set. */
const settingName = 'frontegg_metadata.audits';

const columns = reply('The columns', { schema: 'Metadata', example: metadataExample });

/** Which columns audits have, for clients that draw tables of them. */
export const metadataRoutes: readonly Route<Deps>[] = [
  {
    id: 'getMetadata',
    method: 'get',
    path: '/metadata',
    summary: 'Read the columns of a table of audits',
    by: 'events:read',
    ofNoTenant: true,
    parameters: [query('entityName', '`audits`; others have none')],
    replies: { 200: columns },
    ...fronteggCall,
    errors: [],
    handle: getMetadata,
  },
  {
    id: 'setMetadata',
    method: 'post',
    path: '/metadata',
    summary: 'Read the columns, or set them',
    description: 'With `properties` it sets them, which needs a management key.',
    by: 'events:read',
    ofNoTenant: true,
    parameters: [query('entityName', '`audits`')],
    body: jsonContent('NewMetadata', { read: { entityName: 'audits' } }),
    bodyIsOptional: true,
    replies: { 200: columns },
    ...fronteggCall,
    errors: [...fronteggCall.errors, 'not_found'],
    handle: postMetadata,
  },
];

function getMetadata(deps: Deps): RequestHandler {
  return async (request, response) => {
    const { entityName: asked = entityName } = request.query;
    response.json(asked === entityName ? await readColumns(deps) : { rows: [] });
  };
}

function postMetadata(deps: Deps): RequestHandler {
  return async (request, response) => {
    const { properties } = parse(newMetadataSchema, request.body ?? {});
    if (request.query.entityName !== undefined && request.query.entityName !== entityName) throw notFound('entity');
    if (properties) {
      if (!callerOf(response).management)
        throw new AppError('scope_error', 'Setting the columns needs an environment token.');
      requireScope(response, 'events:write');
      await setColumns(deps.database.prisma, properties);
    }
    response.json(await readColumns(deps));
  };
}

async function readColumns({ database: { prisma }, secretKey }: Deps) {
  const set = await readProperties(prisma);
  // None at all is no table: it stands for the preset ones.
  const properties = set?.length ? set : presetProperties;
  return { rows: [{ id: secretKey.environmentId, entityName, properties }] };
}

async function setColumns(prisma: Prisma, properties: unknown[]): Promise<void> {
  const unstorable = findUnstorable(properties);
  if (unstorable) throw invalid([{ ...unstorable, path: `properties.${unstorable.path}` }]);
  const value = JSON.stringify(properties);
  await prisma.setting.upsert({
    where: { name: settingName },
    create: { name: settingName, value },
    update: { value },
  });
}

async function readProperties(prisma: Prisma): Promise<unknown[] | undefined> {
  const setting = await prisma.setting.findUnique({ where: { name: settingName } });
  return setting ? (parseJson(setting.value) as unknown[]) : undefined;
}
