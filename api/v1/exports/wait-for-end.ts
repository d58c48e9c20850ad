import { setTimeout as delay } from 'node:timers/promises';
import type { Response } from 'express';
import type { Prisma } from '../../../prisma/client.ts';
import { getExport, isFinal } from '../../../prisma/exports/find.ts';
import type { ExportRow } from '../../../prisma/exports/view.ts';
import { isStopping } from '../../http/requests-under-way.ts';

/** The first looks come fast, for small exports end within a tenth of a second; then the database is spared. */
const firstLookMs = 15;
const longestPauseMs = 250;

/** The export as it is once it has ended, `timeoutMs` are over, or client or process go; whichever comes first. */
export async function waitForEnd(
  prisma: Prisma,
  row: ExportRow,
  timeoutMs: number,
  response: Response,
): Promise<ExportRow> {
  const deadline = performance.now() + timeoutMs;
  let latest = row;
  let pauseMs = firstLookMs;
  while (!isFinal(latest.status) && !response.destroyed && !isStopping(response)) {
    const left = deadline - performance.now();
    if (left <= 0) break;
    await delay(Math.min(pauseMs, left));
    pauseMs = Math.min(longestPauseMs, pauseMs * 1.5);
    latest = await getExport(prisma, row.tenantId, row.id);
  }
  return latest;
}
