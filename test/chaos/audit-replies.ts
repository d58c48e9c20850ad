import type { Attempt } from './api-client.ts';
import { type Audit, type Evidence, wasTrouble } from './evidence.ts';

/** Milliseconds that an API may take to find its way back to a database that is there again. */
const backMs = 3_000;
/** Milliseconds after which a request that had to wait for nobody has hung. All of the fleet may share two cores. */
const slowMs = 20_000;

/**
 * Requests failed only while what they need was away: with 5xx while Postgres was, without a reply while their API was.
 * Neither Redis nor S3 is needed for any of them.
 */
export const auditReplies: Audit = (evidence) =>
  evidence.fleet.client.attempts.flatMap((attempt) => {
    const { method, path, status, from, to, error } = attempt;
    const what = `${method} ${path} at ${new Date(from).toISOString()}`;
    if (status !== undefined && status < 500) {
      const isLate = to - from > slowMs && !mayFail(evidence, attempt) && !wasFrozen(evidence, attempt);
      return isLate ? [`${what} took ${to - from} ms`] : [];
    }
    const isExcused = status === undefined ? wasApiAway(evidence, attempt) : mayFail(evidence, attempt);
    return isExcused ? [] : [`${what} was answered ${status ?? error} after ${to - from} ms`];
  });

const mayFail = (evidence: Evidence, { from, to }: Attempt): boolean =>
  wasTrouble(evidence, { of: 'Postgres' }, { from, to, graceMs: backMs });

/** A frozen API may have locked what another one waits for. */
const wasFrozen = (evidence: Evidence, { from, to }: Attempt): boolean =>
  wasTrouble(evidence, { of: /^(api|worker)/, fault: 'frozen' }, { from, to });

function wasApiAway(evidence: Evidence, { url, from, to }: Attempt): boolean {
  const { apis, client } = evidence.fleet;
  const api = apis[client.urls.indexOf(url)]!;
  return wasTrouble(evidence, { of: api.name }, { from, to });
}
