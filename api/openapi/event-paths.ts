import { ref } from './components.ts';
import { eventExample, newEventExample, pageExample, verdictExample } from './examples.ts';
import { jsonBody, type Paths, reply } from './operation.ts';
import { filterParameters, idOf, paging, perPage, sort, streamFormat } from './parameters.ts';

/** Writing, reading and checking events. */
export const eventPaths = (): Paths => ({
  '/v1/events': {
    post: {
      id: 'writeEvent',
      summary: 'Write one event',
      description: 'Only `action` is required. An event that repeats an `id` of its tenant is not stored again.',
      by: 'events:write',
      body: jsonBody('NewEvent', { event: newEventExample, least: { action: 'user.login' } }),
      replies: { 201: reply('The event as stored', { schema: 'OneEvent', example: { data: eventExample } }) },
    },
    get: {
      id: 'listEvents',
      summary: 'List events',
      description: 'Newest first, unless `sort` says otherwise. All filters that are given must hold.',
      by: 'events:read',
      parameters: [...filterParameters(), sort, ...paging, perPage],
      replies: { 200: reply('One page', { schema: 'EventPage', example: pageExample(eventExample) }) },
    },
  },
  '/v1/events/batch': {
    post: {
      id: 'writeEvents',
      summary: 'Write many events',
      description:
        'Up to 1,000 as JSON, or any number as NDJSON, one event a line. All or nothing: a bad one is named by its index or its line.',
      by: 'events:write',
      body: {
        ...jsonBody('NewEventBatch', { batch: { events: [newEventExample, { action: 'user.logout' }] } }),
        'application/x-ndjson': {
          schema: { type: 'string', description: 'One NewEvent a line' },
          example: `${JSON.stringify(newEventExample)}\n${JSON.stringify({ action: 'user.logout' })}\n`,
        },
      },
      replies: {
        201: {
          description: 'The events as stored, or for NDJSON how many there are',
          content: {
            'application/json': {
              schema: { anyOf: [ref('WrittenBatch'), ref('WrittenStream')] },
              examples: {
                batch: { value: { data: [eventExample] } },
                ndjson: { value: { data: { accepted: 2 } } },
              },
            },
          },
        },
      },
    },
  },
  '/v1/events/export': {
    get: {
      id: 'streamEvents',
      summary: 'Stream all matching events',
      description:
        'Oldest first, for as long as it takes; needs the plan `pro`. A reply that is cut off is not complete: JSON is then no valid array, and the trailer `Logferry-Rows` is missing.',
      by: 'export',
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
      errors: ['plan_feature_unavailable'],
    },
  },
  '/v1/events/{id}': {
    get: {
      id: 'getEvent',
      summary: 'Read one event',
      by: 'events:read',
      parameters: [idOf('event')],
      replies: { 200: reply('The event', { schema: 'OneEvent', example: { data: eventExample } }) },
    },
  },
  '/v1/verify': {
    get: {
      id: 'verifyLog',
      summary: "Check the tenant's hash chain",
      by: 'verify',
      replies: { 200: reply('What was found', { schema: 'Verdict', example: verdictExample }) },
    },
  },
});
