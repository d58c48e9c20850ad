import type { RequestHandler } from 'express';
import type { Database } from '../../prisma/client.ts';
import { managementLogId } from '../../prisma/control-log.ts';
import type { Reading } from '../../prisma/events/reading.ts';
import { reply } from '../openapi/described.ts';
import { eventExample, pageExample } from '../openapi/examples.ts';
import type { Route } from '../route.ts';
import { listOf, listParameters } from './events.ts';

type Deps = { database: Database; reading: Reading };

/** The log of what concerns no tenant. */
export const listManagementEvents: Route<Deps> = {
  id: 'listManagementEvents',
  method: 'get',
  path: '/v1/management-events',
  summary: 'List what was done by and to the management',
  description:
    'Management keys that were made and revoked, and refused sign-ins that belong to no tenant; listed as `GET /v1/events` does. What is done to keys, webhooks and plans of a tenant is in its own log.',
  by: 'management',
  parameters: listParameters,
  replies: { 200: reply('One page', { schema: 'EventPage', example: pageExample(eventExample) }) },
  errors: ['conflict'],
  handle: getManagementEvents,
};

function getManagementEvents(deps: Deps): RequestHandler {
  const list = listOf(deps);
  return (request, response) => list(managementLogId, request, response);
}
