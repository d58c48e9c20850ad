import type { RequestHandler } from 'express';
import { unreadLimitMs } from '../../core/limits/replies.ts';
import type { Metrics } from '../../core/metrics.ts';

/** Cuts the connection of a client who takes nothing of its reply for `limitMs`. Streams set a longer time for themselves. */
export function cutUnread(metrics: Metrics, limitMs = unreadLimitMs.usual): RequestHandler {
  return (_request, response, next) => {
    response.setTimeout(limitMs, () => {
      // It is not the client's fault when there was nothing to take.
      if (response.writableLength === 0 || response.destroyed) return;
      metrics.add('logferry_http_cut_total', 1, { reason: 'unread' });
      response.destroy();
    });
    next();
  };
}
