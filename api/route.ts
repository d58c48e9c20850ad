import type { RequestHandler } from 'express';
import type { Operation } from './openapi/described.ts';

/** A call of the API, whole: who may make it, what it takes and answers (see Operation), and what does it. */
export type Route<Deps> = Operation & {
  /** Reads the body, where that is not JSON of the usual size. */
  readBody?: RequestHandler;
  /** Makes what answers, once, when the API is built. By then the request has passed the checks of mount(). */
  handle: (deps: Deps) => RequestHandler | RequestHandler[];
};
