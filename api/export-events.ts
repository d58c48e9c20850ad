import { Router } from 'express';
import { contentOf, type ExportContent } from '../core/exports.ts';
import { filterFromQuery, filterMembers, filterSchema } from '../core/filter.ts';
import { oneOf, strictObject } from '../core/strict-object.ts';
import { requirePlan, tenantOf, tenantRoute } from './authenticate.ts';
import { parse } from './body.ts';
import type { EventStreams } from './event-streams.ts';
import { refuseUnknownQuery } from './paging.ts';

/**
 * GET /events/export: the events that match, oldest first, as JSON or CSV, for as long as it takes. Needs the scope
 * `export` and the plan `pro`. It must stand before GET /events/:id, which would take "export" for an id.
 */
export function exportEventRoutes({ streams }: { streams: EventStreams }): Router {
  const router = Router();
  router.get('/events/export', tenantRoute('export'), async (request, response) => {
    requirePlan(response, 'pro');
    await streams.send(request, response, { tenantId: tenantOf(response).id, content: readContent(request.query) });
  });
  return router;
}

/** The formats of LogProof. POST /exports has more. */
const formatSchema = strictObject({ format: oneOf('format', ['json', 'csv']).default('json') });

/** What an export of this format and filter would have, with the defaults of everything else. */
function readContent(query: Record<string, unknown>): ExportContent {
  refuseUnknownQuery(query, ['format', ...filterMembers]);
  const { format: asked, ...members } = query;
  const { format } = parse(formatSchema, { format: asked });
  const filter = parse(filterSchema, filterFromQuery(members));
  return contentOf({ format, filter, compression: 'none', properties: [], sort: [] });
}
