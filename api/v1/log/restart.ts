import type { RequestHandler } from 'express';
import { logRestartSchema } from '../../../core/evidence/log-restart.ts';
import { restartLog } from '../../../prisma/log/restart.ts';
import { getTenant } from '../../../prisma/tenants.ts';
import { auditContext } from '../../access/tenant-route.ts';
import { parse } from '../../http/body.ts';
import { jsonContent, reply } from '../../openapi/described.ts';
import { restartedLogExample } from '../../openapi/log-examples.ts';
import { idOf } from '../../openapi/parameters.ts';
import type { RestartedLogReply } from '../../openapi/schemas/log.ts';
import type { Route } from '../../route.ts';
import type { LogRouteDeps } from './log-deps.ts';

/** For the management, after a database was restored that knows less than was shown. */
export const restartTenantLog: Route<LogRouteDeps> = {
  id: 'restartLog',
  method: 'post',
  path: '/v1/tenants/:id/log/restart',
  summary: "Begin a tenant's log anew",
  description:
    'Accepts that the events are not those of which checkpoints were shown. The new log has another name, and all events that there are; checkpoints and proofs of the one before hold no more.',
  by: 'management',
  parameters: [{ ...idOf('tenant'), description: 'Of the tenant, or its external_id' }],
  body: jsonContent('LogRestart', { restored: { reason: 'The database was restored from the backup of 03:00.' } }),
  replies: { 200: reply('The new log', { schema: 'RestartedLog', example: restartedLogExample }) },
  handle: postRestart,
};

function postRestart(deps: LogRouteDeps): RequestHandler {
  return async (request, response) => {
    const { id } = await getTenant(deps.database.prisma, String(request.params.id));
    const { reason } = parse(logRestartSchema, request.body ?? {});
    const { origin, previousOrigin } = await restartLog(deps, id, { reason, by: auditContext(request, response) });
    const body: RestartedLogReply = { tenant_id: id, origin, previous_origin: previousOrigin };
    response.json(body);
  };
}
