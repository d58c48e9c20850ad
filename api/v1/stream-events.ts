import type { RequestHandler } from 'express';
import { filterFromQuery, filterSchema } from '../../core/events/filter.ts';
import { type CsvFormulas, contentOf, csvWith, type ExportContent } from '../../core/exports/exports.ts';
import { oneOf, strictObject } from '../../core/strict-object.ts';
import { tenantOf } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { ref } from '../openapi/components.ts';
import { eventExample } from '../openapi/examples.ts';
import { filterParameters, streamFormat } from '../openapi/parameters.ts';
import type { Route } from '../route.ts';
import type { EventStreams } from '../streams/event-streams.ts';

type Deps = { streams: EventStreams };

/**
 * The events that match, oldest first, as JSON or CSV, for as long as it takes. It must stand before GET /v1/events/:id, which
 * would take "export" for an id.
 */
export const streamEvents: Route<Deps> = {
  id: 'streamEvents',
  method: 'get',
  path: '/v1/events/export',
  summary: 'Stream all matching events',
  description:
    'Oldest first, for as long as it takes; needs the plan `pro`. A reply that is cut off is not complete: JSON is then no valid array, and the trailer `Logferry-Rows` is missing.',
  by: 'export',
  plan: 'pro',
  parameters: [streamFormat, ...filterParameters()],
  replies: {
    200: {
      description: 'The rows',
      headers: ['Content-Disposition', 'Logferry-As-Of-Sequence', 'Cache-Control'],
      content: {
        'application/json': { schema: ref('EventRows'), example: [eventExample] },
        'text/csv': { schema: { type: 'string' }, example: 'id,sequence_number,occurred_at\r\n' },
      },
    },
  },
  errors: ['conflict'],
  handle: sendEvents,
};

function sendEvents({ streams }: Deps): RequestHandler {
  return (request, response) => {
    const { id: tenantId, csvFormulas } = tenantOf(response);
    return streams.send(request, response, { tenantId, content: readContent(request.query, csvFormulas) });
  };
}

/** The formats of LogProof. POST /v1/exports has more. */
const formatSchema = strictObject({ format: oneOf('format', ['json', 'csv']).default('json') });

/** What an export of this format and filter would have, with the defaults of everything else. */
function readContent({ format: asked, ...members }: Record<string, unknown>, formulas: CsvFormulas): ExportContent {
  const { format } = parse(formatSchema, { format: asked });
  const filter = parse(filterSchema, filterFromQuery(members));
  const content = contentOf({ format, filter, compression: 'none', properties: [], sort: [] });
  return { ...content, csv: csvWith(formulas) };
}
