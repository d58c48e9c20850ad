import type { Figures } from '../../core/metrics.ts';

/** What the process that serves the API says to its worker process. */
export type ToWorker = { type: 'stop' } | { type: 'figures' };

/** What the worker process says. `failed` is why it cannot start, in words for the user. */
export type FromWorker =
  | { type: 'ready' }
  | { type: 'failed'; message: string }
  | { type: 'figures'; figures: Figures };
