import type { RequestHandler } from 'express';
import { type RegionConfig, regionsOf } from '../../core/regions.ts';
import { reply } from '../openapi/described.ts';
import { pageExample, regionExample } from '../openapi/examples.ts';
import type { Route } from '../route.ts';

type Deps = { config: RegionConfig };

/** Which regions there are and where; open to anybody, as it says where to ask with a key. */
export const listRegions: Route<Deps> = {
  id: 'listRegions',
  method: 'get',
  path: '/v1/regions',
  summary: 'List the regions and their base URLs',
  by: 'anybody',
  replies: { 200: reply('All of them', { schema: 'RegionPage', example: pageExample(regionExample) }) },
  handle: getRegions,
};

function getRegions({ config }: Deps): RequestHandler {
  return (_request, response) => {
    const data = Object.entries(regionsOf(config)).map(([region, base_url]) => ({
      region,
      base_url,
      current: region === config.LOGFERRY_REGION,
    }));
    response.json({ data, meta: { next_cursor: null, has_more: false } });
  };
}
