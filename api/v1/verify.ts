import { Router } from 'express';
import { type Database, pgSql } from '../../prisma/client.ts';
import { verifyChain } from '../../prisma/events/verify.ts';
import { tenantOf, tenantRoute } from '../access/tenant-route.ts';
import { refuseUnknownQuery } from '../http/paging.ts';

/** GET /verify: whether the tenant's log is complete and unchanged (docs/chain.md). */
export function verifyRoutes({ database }: { database: Database }): Router {
  const router = Router();
  router.get('/verify', tenantRoute('verify'), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const verdict = await verifyChain(pgSql(database.scans), tenantOf(response).id, { signal: gone.signal });
    response.json({ data: verdict });
  });
  return router;
}
