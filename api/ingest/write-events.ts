import type { Request, RequestHandler } from 'express';
import { AppError, invalid } from '../../core/errors.ts';
import type { NewEvent } from '../../core/events/event-columns.ts';
import { readNewEvent } from '../../core/events/new-event.ts';
import { bodyLimitBytes } from '../../core/limits/bodies.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Database } from '../../prisma/client.ts';
import { streamAppender } from '../../prisma/events/append-stream.ts';
import { tenantOf } from '../access/tenant-route.ts';
import { jsonBody } from '../http/body.ts';
import { holdingOf } from '../http/held-memory.ts';
import { jsonList } from '../http/json-list.ts';
import { meterStream } from '../http/metrics.ts';
import { discardRest } from '../http/read-chunks.ts';
import { ref } from '../openapi/components.ts';
import { jsonContent, reply } from '../openapi/described.ts';
import { eventExample, newEventExample } from '../openapi/examples.ts';
import type { Route } from '../route.ts';
import type { AppendEvents } from './append-events.ts';
import type { EventBatcher } from './event-batcher.ts';
import { readBatch } from './read-batch.ts';
import { readEventChunks } from './read-event-chunks.ts';
import { largeBytes, readBatchInThread } from './thread/read-in-thread.ts';

const isNdjson = (request: Request): boolean =>
  /^\s*application\/(x-)?ndjson\s*(;|$)/i.test(request.headers['content-type'] ?? '');

type Deps = { database: Database; batcher: EventBatcher; metrics: Metrics; append: AppendEvents };

/** Writing events: one, or many as JSON or as a stream of NDJSON. */
export const writeEventRoutes: readonly Route<Deps>[] = [
  {
    id: 'writeEvent',
    method: 'post',
    path: '/v1/events',
    summary: 'Write one event',
    description: 'Only `action` is required. An event that repeats an `id` of its tenant is not stored again.',
    by: 'events:write',
    body: jsonContent('NewEvent', { event: newEventExample, least: { action: 'user.login' } }),
    replies: { 201: reply('The event as stored', { schema: 'OneEvent', example: { data: eventExample } }) },
    handle: postEvent,
  },
  {
    id: 'writeEvents',
    method: 'post',
    path: '/v1/events/batch',
    summary: 'Write many events',
    description:
      'Up to 1,000 as JSON, or any number as NDJSON, one event a line. All or nothing: a bad one is named by its index or its line.',
    by: 'events:write',
    body: {
      ...jsonContent('NewEventBatch', { batch: { events: [newEventExample, { action: 'user.logout' }] } }),
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
    readBody: readBatchBody(),
    handle: postEvents,
  },
];

/** Lines are read one by one while they come; of JSON, the events are checked already when this has ended. */
function readBatchBody(): RequestHandler {
  const readJson = jsonBody(bodyLimitBytes.batch, (bytes) =>
    bytes.length < largeBytes ? readBatch(bytes) : readBatchInThread(bytes),
  );
  return (request, response, next) => (isNdjson(request) ? next() : readJson(request, response, next));
}

function postEvent({ append }: Deps): RequestHandler {
  return async (request, response) => {
    const [event] = await append(tenantOf(response).id, [readEvent(request.body)]);
    response.status(201).type('json').send(`{"data":${event}}`);
  };
}

function postEvents(deps: Deps): RequestHandler {
  const stream = postStream(deps);
  return async (request, response, next) => {
    if (isNdjson(request)) return stream(request, response, next);
    if (request.body === undefined) throw new AppError('bad_request', 'This call needs a JSON body.');
    const events = await deps.append(tenantOf(response).id, request.body as NewEvent[]);
    response
      .status(201)
      .type('json')
      .send(jsonList(events, { before: '{"data":[', behind: ']}' }));
  };
}

function postStream({ database, batcher, metrics }: Deps): RequestHandler {
  const appendStream = streamAppender(database.pool);
  return async (request, response) => {
    try {
      meterStream(metrics, 'events_in', response);
      const accepted = await appendChunks(
        tenantOf(response).id,
        readEventChunks(request, holdingOf(request, response)),
      );
      metrics.add('logferry_events_written_total', accepted);
      response.status(201).json({ data: { accepted } });
    } finally {
      discardRest(request);
    }
  };

  /** A stream that is short enough is an ordinary batch; a longer one gathers in the database. */
  async function appendChunks(tenantId: string, chunks: AsyncGenerator<NewEvent[]>): Promise<number> {
    const first = await chunks.next();
    if (first.done) return 0;
    const second = await chunks.next();
    if (!second.done) return appendStream(tenantId, following([first.value, second.value], chunks));
    await batcher.append(tenantId, first.value);
    return first.value.length;
  }
}

function readEvent(body: unknown): NewEvent {
  if (body === undefined) throw new AppError('bad_request', 'This call needs a JSON body: the event.');
  const read = readNewEvent(body);
  if ('errors' in read) throw invalid(read.errors);
  return read.event;
}

async function* following(begun: readonly NewEvent[][], rest: AsyncGenerator<NewEvent[]>): AsyncGenerator<NewEvent[]> {
  yield* begun;
  yield* rest;
}
