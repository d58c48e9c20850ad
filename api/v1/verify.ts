import type { RequestHandler } from 'express';
import { boundedSlots } from '../../core/async/bounded-slots.ts';
import { filterFromQuery, filterSchema } from '../../core/events/filter.ts';
import type { Database } from '../../prisma/client.ts';
import { verifyChain } from '../../prisma/events/verify.ts';
import { spanOf } from '../../prisma/exports/find.ts';
import { tenantSql } from '../../prisma/isolation/as-role.ts';
import { tenantOf } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { reply } from '../openapi/described.ts';
import { verdictExample } from '../openapi/examples.ts';
import { sequenceRange } from '../openapi/parameters.ts';
import type { Route } from '../route.ts';

type Deps = { database: Database };

/** Whether the tenant's log is complete and unchanged (docs/verify.md). */
export const verifyLog: Route<Deps> = {
  id: 'verifyLog',
  method: 'get',
  path: '/v1/verify',
  summary: "Check the tenant's hash chain",
  description:
    'From the first event to the last, or a range of their numbers by itself, from the hash of the event before it.',
  by: 'verify',
  parameters: sequenceRange,
  replies: { 200: reply('What was found', { schema: 'Verdict', example: verdictExample }) },
  errors: ['conflict'],
  handle: verify,
};

const tooBusy = 'Too many logs are being verified. Wait for the one before to end, then try again.';

/** Each reads the whole log: one of a tenant at a time, and few in all. */
const mostVerified = { inAll: 4, ofOneTenant: 1, waitMs: 30_000 };

function verify({ database }: Deps): RequestHandler {
  const inSlot = boundedSlots(mostVerified, tooBusy);
  return async (request, response) => {
    const range = parse(filterSchema, filterFromQuery(request.query));
    const { after_sequence: after, through_sequence: through } = range;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const { id } = tenantOf(response);
    if (after !== undefined) await spanOf(database.prisma, id, range);
    const options = { after, through, signal: gone.signal };
    const verdict = await inSlot(id, () => verifyChain(tenantSql(database.scans, id), id, options));
    response.json({ data: verdict });
  };
}
