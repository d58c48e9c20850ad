import { Router } from 'express';
import { AppError, invalid, notFound } from '../../core/errors.ts';
import { entityName, newMetadataSchema, presetProperties } from '../../core/frontegg/metadata.ts';
import { findUnstorable, parseJson } from '../../core/json/json.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { Database, Prisma } from '../../prisma/client.ts';
import { callerOf, requireScope } from '../access/tenant-route.ts';
import { jsonBody, parse } from '../http/body.ts';

type MetadataDeps = { database: Database; secretKey: SecretKey };

/** Where the columns are kept that the management has set. */
const settingName = 'frontegg_metadata.audits';

/** GET and POST /metadata: which columns audits have, for clients that draw tables of them. POST sets them. */
export function metadataRoutes({ database: { prisma }, secretKey }: MetadataDeps): Router {
  const router = Router();
  const answer = async () => {
    const set = await readProperties(prisma);
    // None at all is no table: it stands for the preset ones.
    const properties = set?.length ? set : presetProperties;
    return { rows: [{ id: secretKey.environmentId, entityName, properties }] };
  };

  router.get('/', async (request, response) => {
    requireScope(response, 'events:read');
    const { entityName: asked = entityName } = request.query;
    response.json(asked === entityName ? await answer() : { rows: [] });
  });

  router.post('/', jsonBody(), async (request, response) => {
    const { properties } = parse(newMetadataSchema, request.body ?? {});
    if (request.query.entityName !== undefined && request.query.entityName !== entityName) throw notFound('entity');
    if (properties) await setProperties();
    else requireScope(response, 'events:read');
    response.json(await answer());

    async function setProperties(): Promise<void> {
      if (!callerOf(response).management)
        throw new AppError('scope_error', 'Setting the columns needs an environment token.');
      requireScope(response, 'events:write');
      const unstorable = findUnstorable(properties);
      if (unstorable) throw invalid([{ ...unstorable, path: `properties.${unstorable.path}` }]);
      const value = JSON.stringify(properties);
      await prisma.setting.upsert({
        where: { name: settingName },
        create: { name: settingName, value },
        update: { value },
      });
    }
  });
  return router;
}

async function readProperties(prisma: Prisma): Promise<unknown[] | undefined> {
  const setting = await prisma.setting.findUnique({ where: { name: settingName } });
  return setting ? (parseJson(setting.value) as unknown[]) : undefined;
}
