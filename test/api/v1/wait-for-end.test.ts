import { EventEmitter } from 'node:events';
import type { Response } from 'express';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openExportWaits } from '../../../api/v1/exports/create.ts';
import type { Prisma } from '../../../prisma/client.ts';
import { getExport } from '../../../prisma/exports/find.ts';
import type { ExportRow } from '../../../prisma/exports/view.ts';
import { type App, bodyOf, startApp } from '../start-app.ts';

let app: App;
let looks = 0;
let prisma: Prisma;
beforeAll(async () => {
  app = await startApp();
  prisma = app.database.prisma.$extends({
    query: {
      export: {
        findFirst({ args, query }) {
          looks++;
          return query(args);
        },
      },
    },
  }) as unknown as Prisma;
});
afterAll(() => app.close());

/** A reply whose client is there until it is told otherwise. */
const reply = () => Object.assign(new EventEmitter(), { destroyed: false, locals: {} }) as unknown as Response;

async function newExport(filter: object = {}): Promise<{ row: ExportRow; end(): Promise<unknown> }> {
  const { call, tenant } = await app.newTenant();
  const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv', filter } }));
  const row = await getExport(app.database.prisma, tenant.id, id);
  return { row, end: () => call(`/v1/exports/${id}/cancel`, { method: 'POST' }) };
}

it('Requests that wait for one export share each look at it, and all hear of its end', async () => {
  const { row, end } = await newExport();
  const waitForEnd = openExportWaits(prisma);
  looks = 0;
  const waiting = Array.from({ length: 50 }, () => waitForEnd(row, 20_000, reply()));
  await expect.poll(() => looks).toBeGreaterThan(4);
  const before = looks;
  await end();
  for (const each of await Promise.all(waiting)) expect(each?.status).toBe('canceled');
  expect(before).toBeLessThan(50);
});

it('One that waits long enough, or whose client goes, waits no more, and the others go on', async () => {
  const { row, end } = await newExport();
  const waitForEnd = openExportWaits(prisma);
  const gone = reply();
  const left = waitForEnd(row, 20_000, gone);
  const stays = waitForEnd(row, 20_000, reply());
  expect((await waitForEnd(row, 50, reply()))?.status).toBe('queued');
  gone.destroyed = true;
  expect((await left)?.status).toBe('queued');
  await end();
  expect((await stays)?.status).toBe('canceled');
});

it('Beyond the share of a tenant or of the process nobody waits, and whoever ends makes room', async () => {
  const { row, end } = await newExport();
  const other = await newExport();
  const third = await newExport();
  const waitForEnd = openExportWaits(prisma, { inAll: 3, ofOneTenant: 2 });
  const waiting = [waitForEnd(row, 20_000, reply()), waitForEnd(row, 20_000, reply())];
  expect(await waitForEnd(row, 20_000, reply())).toBeUndefined();
  waiting.push(waitForEnd(other.row, 20_000, reply()));
  expect(await waitForEnd(third.row, 20_000, reply())).toBeUndefined();
  await end();
  await other.end();
  await Promise.all(waiting);
  expect((await waitForEnd(third.row, 20, reply()))?.status).toBe('queued');
});
