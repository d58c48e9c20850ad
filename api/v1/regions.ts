import { Router } from 'express';
import { type RegionConfig, regionsOf } from '../../core/regions.ts';

/** GET /v1/regions: which regions there are and where; open to anybody, as it says where to ask with a key. */
export function regionRoutes({ config }: { config: RegionConfig }): Router {
  const router = Router();
  router.get('/regions', (_request, response) => {
    const data = Object.entries(regionsOf(config)).map(([region, base_url]) => ({
      region,
      base_url,
      current: region === config.LOGFERRY_REGION,
    }));
    response.json({ data, meta: { next_cursor: null, has_more: false } });
  });
  return router;
}
