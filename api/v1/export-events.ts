import { Router } from 'express';
import { filterFromQuery, filterMembers, filterSchema } from '../../core/events/filter.ts';
import { contentOf, type ExportContent } from '../../core/exports/exports.ts';
import { oneOf, strictObject } from '../../core/strict-object.ts';
import { requirePlan, tenantOf, tenantRoute } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { refuseUnknownQuery } from '../http/paging.ts';
import type { EventStreams } from '../streams/event-streams.ts';

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
