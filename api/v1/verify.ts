import type { RequestHandler } from 'express';
import { boundedSlots } from '../../core/async/bounded-slots.ts';
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

const tooBusy = 'Too many logs are being verified. Wait for the one before to end, then try again.';

/** Each reads the whole log: one of a tenant at a time, and few in all. */
const mostVerified = { inAll: 4, ofOneTenant: 1, waitMs: 30_000 };

function verify({ database }: Deps): RequestHandler {
  const inSlot = boundedSlots(mostVerified, tooBusy);
  return async (_request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const { id } = tenantOf(response);
    const verdict = await inSlot(id, () => verifyChain(pgSql(database.scans), id, { signal: gone.signal }));
    response.json({ data: verdict });
  };
}
