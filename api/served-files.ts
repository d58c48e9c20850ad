import { exportIdOfKey, tenantIdOfKey } from '../core/exports/stored-file.ts';
import type { Log } from '../core/log.ts';
import type { Prisma } from '../prisma/client.ts';
import { recordAlone } from '../prisma/control-log.ts';

/** Writes into the tenant's log which files the file storage has served, and how many bytes of them. */
export type ServedFiles = {
  /** @param link names the link that was used: the ranges of one are summed */
  served(file: { key: string; link: string; bytes: number; ip: string | null }): void;
  /** Writes what was summed up and is not written yet. */
  flush(): Promise<void>;
};

/** Milliseconds between two events about one link. */
const pauseMs = 60_000;

/** Links whose ranges are being summed; beyond it, the oldest sum is written before its minute is over. */
const mostOpen = 10_000;

type Open = { key: string; bytes: number; ip: string | null; timer: NodeJS.Timeout };

export function openServedFiles(prisma: Prisma, log: Log): ServedFiles {
  const open = new Map<string, Open>();

  async function record({ key, bytes, ip }: Pick<Open, 'key' | 'bytes' | 'ip'>): Promise<void> {
    const [tenantId, exportId] = [tenantIdOfKey(key), exportIdOfKey(key)];
    if (bytes === 0 || !tenantId || !exportId) return;
    const by = { actor: { id: null, type: 'link', name: null }, context: { ip, user_agent: null } };
    const what = {
      action: 'logferry.export.served',
      target: { type: 'export', id: exportId },
      metadata: { bytes },
    } as const;
    await recordAlone(prisma, tenantId, by, what).catch((err) =>
      log.error({ err, tenant_id: tenantId, export_id: exportId }, 'a file that was served is not in the log'),
    );
  }
  async function close(link: string): Promise<void> {
    const sum = open.get(link);
    if (!sum) return;
    clearTimeout(sum.timer);
    open.delete(link);
    await record(sum);
  }
  return {
    served({ key, link, bytes, ip }) {
      const sum = open.get(link);
      if (sum) {
        sum.bytes += bytes;
        return;
      }
      // The first is written at once; what follows within the minute is summed.
      void record({ key, bytes, ip });
      const timer = setTimeout(() => void close(link), pauseMs).unref();
      if (open.size >= mostOpen) void close(open.keys().next().value!);
      open.set(link, { key, bytes: 0, ip, timer });
    },
    async flush() {
      for (const link of [...open.keys()]) await close(link);
    },
  };
}
