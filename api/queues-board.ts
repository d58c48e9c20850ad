import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { type RequestHandler, Router } from 'express';
import { AppError } from '../core/errors.ts';
import type { Queue } from '../core/queue/queue.ts';
import { findCaller, managementRoute } from './access/tenant-route.ts';
import { countAs } from './http/metrics.ts';
import type { Operation } from './openapi/described.ts';

/** Where the board is; its pages call each other by this path. */
export const boardPath = '/admin/queues';

/** What the document says of it. It is a whole folder of pages, and so is mounted by boardRoutes(). */
export const getBoard: Operation = {
  id: 'getBoard',
  method: 'get',
  path: boardPath,
  summary: 'The queues in a browser',
  description: 'With the management key as a Bearer token, or as the password of HTTP Basic with any name.',
  by: 'management',
  replies: {
    200: {
      description: 'The page',
      headers: ['Content-Security-Policy'],
      content: { 'text/html': { schema: { type: 'string' } } },
    },
  },
  anyQuery: true,
};

/** Milliseconds that the queue has for an answer: BullMQ waits for a Redis that is away as long as it takes. */
const patienceMs = 5_000;

/**
 * The queues in a browser, for management keys: the key as Bearer token, or as the password of HTTP Basic, which browsers ask
 * for. It only shows. Jobs are wake-up signals and say nothing of what is done, so nothing could be repaired in them; and what a password
 * changes that browsers send by themselves, any site could have them change.
 * @param access finds out who calls and limits how often, as for /v1
 */
export function boardRoutes({ queue, access }: { queue: Queue; access: RequestHandler[] }): Router {
  const board = new ExpressAdapter();
  board.setBasePath(boardPath);
  createBullBoard({
    queues: queue.bullQueues.map((each) => new BullMQAdapter(each, { readOnlyMode: true })),
    serverAdapter: board,
    options: { uiConfig: { boardTitle: 'Logferry queues', hideDocsLink: true, favIcon: icons } },
  });
  // Its own handler would answer with the text of the error, and keep it from the log.
  board.setErrorHandler((error) => {
    throw 'statusCode' in error ? error : unanswered(error);
  });
  const router = Router();
  router.use(countAs(boardPath), secureHeaders, basicAsBearer, ...access, askForKey, managementRoute, onlyShow);
  router.use(withoutForeignParts, answerInTime, board.getRouter());
  return router;
}

const icons = { default: 'static/images/logo.svg', alternative: 'static/favicon-32x32.png' };

/** Nothing is loaded from elsewhere, and no other site may show or read the board. Its styles are written by its scripts. */
const headers = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
    "font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'private, no-store',
};

const secureHeaders: RequestHandler = (_request, response, next) => {
  response.set(headers);
  next();
};

/** The password of HTTP Basic (RFC 7617) goes on as if it had come as a Bearer token; the name before it may be any. */
const basicAsBearer: RequestHandler = (request, _response, next) => {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (encoded !== undefined) {
    const pair = Buffer.from(encoded, 'base64').toString('utf8');
    request.headers.authorization = `Bearer ${pair.slice(pair.indexOf(':') + 1)}`;
  }
  next();
};

/** Refuses who is not known, and has browsers ask for a password, which they do only when they are told of Basic. */
const askForKey: RequestHandler = (_request, response, next) => {
  if (findCaller(response)) return next();
  const message = 'A management key is needed: as a Bearer token, or as the password of HTTP Basic with any name.';
  const challenge = 'Basic realm="Logferry queues", charset="UTF-8"';
  throw new AppError('authentication_error', message, { headers: { 'WWW-Authenticate': challenge } });
};

/** Bull Board refuses changes by itself where it knows of them; here they end whatever its next version can do. */
const onlyShow: RequestHandler = (request, _response, next) => {
  if (request.method === 'GET' || request.method === 'HEAD') return next();
  throw new AppError('method_not_allowed', 'The board only shows: use GET.', { headers: { Allow: 'GET, HEAD' } });
};

/** Its page asks a server of somebody else's for a font, and so would tell it of every visit. */
const withoutForeignParts: RequestHandler = (_request, response, next) => {
  const send = response.send.bind(response);
  response.send = (body) => send(typeof body === 'string' ? body.replace(/<link [^>]*href="https?:[^>]*>/g, '') : body);
  next();
};

const answerInTime: RequestHandler = (_request, response, next) => {
  const timer = setTimeout(() => next(unanswered()), patienceMs);
  response.on('close', () => clearTimeout(timer));
  next();
};

const unanswered = (cause?: unknown): AppError =>
  new AppError('unavailable', 'The queue does not answer. Exports go on being taken; try again in a few seconds.', {
    cause,
    headers: { 'Retry-After': '5' },
  });
