import { createHash } from 'node:crypto';
import { ipKeyGenerator } from 'express-rate-limit';
import { keepNewest } from '../../core/async/keep-newest.ts';
import type { Config } from '../../core/config.ts';
import { AppError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Database } from '../../prisma/client.ts';
import { managementLogId, recordAlone } from '../../prisma/control-log.ts';

/** Refused sign-ins: from where there are too many, and what the logs are told of them. */
export type Refusals = {
  /**
   * Before a credential is looked up. @throws AppError rate_limit_exceeded where too many were refused within a minute, unless
   * this very one was accepted lately
   */
  gate(address: string | undefined, text: string): void;
  accepted(text: string): void;
  /** @param tenantId whose credential it was, if that is known */
  refused(address: string | undefined, tenantId?: string): void;
  /** Writes what was counted into the logs now. */
  flush(): Promise<void>;
};

/** Refused credentials from one address within a minute, after which those that are not known here are not looked up. */
const mostRefused = 60;
const windowMs = 60_000;
/** Credentials that this process has accepted stay known to it for so long. */
const knownMs = 600_000;
/** Addresses and credentials that are remembered; the oldest go first. */
const mostKept = 10_000;

const somebody = {
  actor: { id: null, type: 'unknown', name: null },
  context: { ip: null, user_agent: null },
};

/** Milliseconds after which refusals that were counted are in the logs at the latest. */
const longestRecordMs = 30_000;

type Deps = {
  config: Pick<Config, 'LOGFERRY_SWEEP_SECONDS'>;
  database: Pick<Database, 'prisma'>;
  log: Log;
  clock?: () => number;
};

export function openRefusals({ config, database, log, clock = Date.now }: Deps): Refusals {
  const recordMs = Math.min(longestRecordMs, config.LOGFERRY_SWEEP_SECONDS * 1000);
  const byAddress = new Map<string, { since: number; count: number }>();
  const known = new Map<string, number>();
  let counted = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const placeOf = (address: string | undefined) => ipKeyGenerator(address ?? '');
  const windowOf = (place: string) => {
    const found = byAddress.get(place);
    return found && clock() - found.since < windowMs ? found : undefined;
  };
  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const entries = counted;
    counted = new Map();
    for (const [logId, count] of entries) {
      const what = { action: 'logferry.sign_in.refused', metadata: { count } } as const;
      await recordAlone(database.prisma, logId, somebody, what).catch((err) =>
        log.error({ err }, `${count} refused sign-ins are not in the log`),
      );
    }
  }
  return {
    gate(address, text) {
      const window = windowOf(placeOf(address));
      if (!window || window.count < mostRefused) return;
      const acceptedAt = known.get(fingerprint(text));
      if (acceptedAt !== undefined && clock() - acceptedAt < knownMs) return;
      const seconds = Math.max(1, Math.ceil((window.since + windowMs - clock()) / 1000));
      const message = `More than ${mostRefused} credentials from this address were refused within a minute. Try again in ${seconds} s.`;
      throw new AppError('rate_limit_exceeded', message, { headers: { 'Retry-After': String(seconds) } });
    },
    accepted: (text) => keepNewest(known, fingerprint(text), clock(), mostKept),
    refused(address, tenantId = managementLogId) {
      const place = placeOf(address);
      const window = windowOf(place);
      if (window) window.count++;
      else keepNewest(byAddress, place, { since: clock(), count: 1 }, mostKept);
      counted.set(tenantId, (counted.get(tenantId) ?? 0) + 1);
      timer ??= setTimeout(() => void flush(), recordMs).unref();
    },
    flush,
  };
}

const fingerprint = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);
