import { keepNewest } from '../../core/async/keep-newest.ts';
import type { Prisma } from '../client.ts';
import { recordAlone } from '../control-log.ts';
import type { AuditContext } from './audit.ts';

/** Who has been shown a link, by what. */
type Shown = { tenantId: string; exportIds: readonly string[]; by: AuditContext };

/**
 * Writes into the tenant's log who was shown links to files: a link needs no key. One event for an export and caller within a
 * minute, however often it is shown; a list writes one with all its ids.
 */
export type LinkLog = { minted(shown: Shown): Promise<void> };

const oncePerMs = 60_000;
/** Pairs of export and caller that are remembered; the oldest go first. */
const mostKept = 10_000;

export function openLinkLog(prisma: Prisma, clock: () => number = Date.now): LinkLog {
  const lately = new Map<string, { at: number; written: Promise<void> }>();
  return {
    async minted({ tenantId, exportIds, by }) {
      const pairs = exportIds.map((id) => ({ id, pair: JSON.stringify([id, by.actor.type, by.actor.id]) }));
      const news = pairs.filter(({ pair }) => clock() - (lately.get(pair)?.at ?? -oncePerMs) >= oncePerMs);
      if (news.length > 0) {
        const written = recordLinks(prisma, { tenantId, exportIds: news.map(({ id }) => id), by });
        // Remembered before it is written: fifty streams of one export end at the same moment.
        for (const { pair } of news) keepNewest(lately, pair, { at: clock(), written }, mostKept);
        written.catch(() => {
          for (const { pair } of news) if (lately.get(pair)?.written === written) lately.delete(pair);
        });
      }
      await Promise.all(pairs.map(({ pair }) => lately.get(pair)?.written));
    },
  };
}

/** Writes one event about links that were shown or sent. */
export function recordLinks(prisma: Prisma, { tenantId, exportIds, by }: Shown): Promise<void> {
  const [first, ...others] = exportIds;
  return recordAlone(prisma, tenantId, by, {
    action: 'logferry.export.link_minted',
    ...(others.length === 0 && { target: { type: 'export', id: first! } }),
    metadata: { export_ids: exportIds },
  });
}
