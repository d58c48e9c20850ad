import type { RequestHandler } from 'express';
import { type Database, pgSql } from '../../prisma/client.ts';
import { verifyChain } from '../../prisma/events/verify.ts';
import { tenantOf } from '../access/tenant-route.ts';
import { reply } from '../openapi/described.ts';
import { verdictExample } from '../openapi/examples.ts';
import type { Route } from '../route.ts';

type Deps = { database: Database };

/** Whether the tenant's log is complete and unchanged (docs/chain.md). */
export const verifyLog: Route<Deps> = {
  id: 'verifyLog',
  method: 'get',
  path: '/v1/verify',
  summary: "Check the tenant's hash chain",
  by: 'verify',
  replies: { 200: reply('What was found', { schema: 'Verdict', example: verdictExample }) },
  handle: verify,
};

function verify({ database }: Deps): RequestHandler {
  return async (_request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const verdict = await verifyChain(pgSql(database.scans), tenantOf(response).id, { signal: gone.signal });
    response.json({ data: verdict });
  };
}
