import type { Server, ServerResponse } from 'node:http';
import type { Response } from 'express';
import { AppError } from '../../core/errors.ts';
import { type Locals, localsOf } from '../access/locals.ts';

/** The requests of a server that have no whole reply yet. */
export type RequestsUnderWay = {
  /**
   * The process is about to stop: replies that only wait for something to happen end, and connections with theirs, so that
   * clients turn to another process.
   */
  tellStopping(): void;
};

/** Whether the reply should end as soon as it may: what it waits for will not be seen by this process. */
export const isStopping = (response: Response): boolean => localsOf(response).isStopping === true;

/** For work that has waited for its turn. @throws AppError when nobody waits for the reply any more */
export function throwIfGone(response: Response): void {
  if (response.destroyed) throw new AppError('bad_request', 'The client hung up before the reply.');
}

export function watchRequests(server: Server): RequestsUnderWay {
  const replies = new Set<ServerResponse & { locals?: Response['locals'] }>();
  let stops = false;
  const tell = (reply: ServerResponse & { locals?: Response['locals'] }) => {
    // Express takes the locals that are there; and whoever handles the request has them in hand.
    reply.locals = Object.assign(reply.locals ?? {}, { isStopping: true } satisfies Partial<Locals>);
    reply.shouldKeepAlive = false;
  };
  // Before the app sees them.
  server.prependListener('request', (_request, reply) => {
    replies.add(reply);
    reply.once('close', () => {
      replies.delete(reply);
      // Its headers may have promised to keep the connection.
      if (stops) setImmediate(() => server.closeIdleConnections());
    });
    if (stops) tell(reply);
  });
  return {
    tellStopping() {
      stops = true;
      for (const reply of replies) tell(reply);
    },
  };
}
