import { Router } from 'express';
import type { Config } from '../../core/config.ts';

type RegionConfig = Pick<Config, 'LOGFERRY_REGION' | 'LOGFERRY_REGIONS' | 'publicUrl'>;

/** Region → base URL, of all deployments that are known, this one's among them. */
export const regionsOf = (config: RegionConfig): Record<string, string> => ({
  [config.LOGFERRY_REGION]: config.publicUrl,
  ...config.LOGFERRY_REGIONS,
});

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
