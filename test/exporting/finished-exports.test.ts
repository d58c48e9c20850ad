import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { addEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { type Exporting, endedExport, exportFile, queueExport, startExporting } from '../worker/export-fixture.ts';

const events = Array.from({ length: 12 }, (_, i) => ({
  action: i % 2 ? 'user.login' : 'file.read',
  occurred_at: `2025-01-01T00:00:${String(i).padStart(2, '0')}Z`,
  actor: { id: `user-${i}` },
  metadata: { n: i },
}));

type ServerEvent = {
  id?: string;
  retry?: string;
  event: string;
  data: { status: string; progress: { phase: string; percent: number } };
};

const serverEvents = (text: string): ServerEvent[] =>
  text
    .split('\n\n')
    .filter((block) => block.includes('event: '))
    .map((block) => {
      const field = (name: string) => block.match(new RegExp(`^${name}: (.*)$`, 'm'))![1]!;
      return { id: field('id'), event: field('event'), retry: field('retry'), data: JSON.parse(field('data')) };
    });

describe('An export that has ended', () => {
  let app: Exporting;
  let call: Call;
  let tenantId: string;
  beforeAll(async () => {
    app = await startExporting();
    ({
      call,
      tenant: { id: tenantId },
    } = await app.newTenant());
    await addEvents(app.database, tenantId, events);
  });
  afterAll(() => app.close());

  const actions = async (id: string) =>
    (
      await app.database.pool.query(
        `select action from events where tenant_id = $1 and target_id = $2
           and action not in ('logferry.export.link_minted', 'logferry.export.served') order by sequence_number`,
        [tenantId, id],
      )
    ).rows.map((row) => row.action.replace('logferry.export.', ''));
  const lapse = (id: string) =>
    app.database.pool.query(`update exports set expires_at = now() - interval '1 second' where id = $1`, [id]);

  it('is answered with 200 when Prefer: wait lasts long enough', async () => {
    const reply = await call('/v1/exports', { json: { format: 'csv' }, headers: { prefer: 'wait=20' } });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('retry-after')).toBeNull();
    expect(reply.headers.get('preference-applied')).toBe('wait=20');
    const body = await bodyOf(reply);
    expect(reply.headers.get('location')).toBe(`/v1/exports/${body.id}`);
    expect(body).toMatchObject({ status: 'completed', complete: true });
    expect((await fetch(body.download_url)).status).toBe(200);
  });

  it('tells of rows, bytes, hash, life and the last progress', async () => {
    const before = Date.now();
    const { view, text } = await exportFile(call, { format: 'ndjson', filter: { action: 'user.*' }, expires_in: 3600 });
    expect(view).toMatchObject({
      status: 'completed',
      rows: 6,
      bytes: Buffer.byteLength(text),
      complete: true,
      attempt: 1,
      error: null,
      progress: {
        phase: 'done',
        rows: 6,
        total_rows: 6,
        total_is: 'exact',
        percent: 100,
        eta_seconds: 0,
        bytes: Buffer.byteLength(text),
      },
    });
    const time = (text: string | null) => new Date(text!).getTime();
    expect(time(view.created_at)).toBeLessThanOrEqual(time(view.started_at) + 50);
    expect(time(view.started_at)).toBeLessThanOrEqual(time(view.completed_at) + 50);
    expect(Math.abs(time(view.expires_at) - time(view.completed_at) - 3_600_000)).toBeLessThan(5_000);
    const linkLife = (time(view.download_url_expires_at) - before) / 1000;
    expect(linkLife).toBeGreaterThan(890);
    expect(linkLife).toBeLessThan(930);
  });

  it('gives a link that lives no longer than the file', async () => {
    const { view } = await exportFile(call, { format: 'csv', expires_in: 60 });
    expect(new Date(view.download_url_expires_at!) <= new Date(view.expires_at!)).toBe(true);
  });

  it('redirects a download to a fresh link, and writes it into the audit log', async () => {
    const { view, stored } = await exportFile(call, { format: 'csv', compression: 'gzip', file_name: 'jänner' });
    const reply = await call(`/v1/exports/${view.id}/download`, { redirect: 'manual' });
    expect(reply.status).toBe(302);
    expect(reply.headers.get('cache-control')).toMatch(/no-store/);
    const file = await fetch(reply.headers.get('location')!);
    expect(file.headers.get('content-type')).toBe('application/gzip');
    expect(file.headers.get('content-encoding')).toBeNull();
    expect(file.headers.get('content-disposition')).toBe(
      `attachment; filename="janner.csv.gz"; filename*=UTF-8''j%C3%A4nner.csv.gz`,
    );
    expect(Buffer.from(await file.arrayBuffer()).equals(stored)).toBe(true);
    expect(await actions(view.id)).toEqual(['created', 'downloaded']);
  });

  it('answers HEAD of a download with its size, and does not count that as a download', async () => {
    const { view } = await exportFile(call, { format: 'csv' });
    const reply = await call(`/v1/exports/${view.id}/download`, { method: 'HEAD' });
    expect([reply.status, reply.headers.get('content-length')]).toEqual([200, String(view.bytes)]);
    expect(await actions(view.id)).toEqual(['created']);
  });

  it('has the log tell who was shown a link: once a minute for each export and caller, and of a list once with all', async () => {
    const { call: by } = await app.newTenant();
    const minted = async () => {
      const { data } = await bodyOf(by('/v1/events?action=logferry.export.link_minted&sort=sequence_number'));
      return data.map((event: { metadata: { export_ids: string[] } }) => event.metadata.export_ids);
    };
    const first = await exportFile(by, { format: 'csv' });
    const second = await exportFile(by, { format: 'json' });
    const [a, b] = [first.view.id, second.view.id];
    for (let i = 0; i < 3; i++) await by(`/v1/exports/${a}`);
    expect(await minted()).toEqual([[a], [b]]);
    expect((await by(`/v1/exports/${a}`, { method: 'HEAD' })).status).toBe(200);
    const second_key = await bodyOf(by('/v1/api-keys', { json: { name: 'other' } }));
    await app.caller(second_key.key)('/v1/exports');
    await app.caller(second_key.key)('/v1/exports');
    expect(await minted()).toEqual([[a], [b], [b, a]]);
    const third_key = await bodyOf(by('/v1/api-keys', { json: { name: 'third' } }));
    await Promise.all(Array.from({ length: 10 }, () => app.caller(third_key.key)(`/v1/exports/${a}`)));
    expect(await minted()).toEqual([[a], [b], [b, a], [a]]);
  });

  it('answers 409 for a cancel, and stays completed', async () => {
    const { view } = await exportFile(call, { format: 'csv' });
    const reply = await call(`/v1/exports/${view.id}/cancel`, { method: 'POST' });
    expect(reply.status).toBe(409);
    expect((await bodyOf(reply)).error).toEqual({ type: 'conflict', message: expect.stringMatching(/completed/) });
    expect((await bodyOf(call(`/v1/exports/${view.id}`))).status).toBe('completed');
    expect(await actions(view.id)).toEqual(['created']);
  });

  it('says by 503 that its file is not deleted yet, and deletes it when asked again', async () => {
    const { view } = await exportFile(call, { format: 'csv' });
    const { storageKey } = await app.database.prisma.export.findUniqueOrThrow({ where: { id: view.id } });
    const refusing = vi.spyOn(app.deps.store, 'deleteObject').mockRejectedValueOnce(new Error('not now'));
    const reply = await call(`/v1/exports/${view.id}`, { method: 'DELETE' });
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '10']);
    expect((await bodyOf(call(`/v1/exports/${view.id}`))).status).toBe('expired');
    expect((await call(`/v1/exports/${view.id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await app.deps.store.statObject(storageKey)).toBeUndefined();
    refusing.mockRestore();
  });

  it('loses its file by DELETE before the reply, and keeps its record as expired', async () => {
    const { view } = await exportFile(call, { format: 'csv' });
    const stored = await app.database.prisma.export.findUniqueOrThrow({ where: { id: view.id } });
    expect(await app.deps.store.statObject(stored.storageKey)).toBeDefined();
    const reply = await call(`/v1/exports/${view.id}`, { method: 'DELETE' });
    expect(reply.status).toBe(204);
    expect(await app.deps.store.statObject(stored.storageKey)).toBeUndefined();
    expect((await fetch(view.download_url!)).status).toBe(404);
    expect(await bodyOf(call(`/v1/exports/${view.id}`))).toMatchObject({
      status: 'expired',
      rows: 12 + (view.as_of_sequence - 12),
      sha256: view.sha256,
      download_url: null,
      download_url_expires_at: null,
    });
    const download = await call(`/v1/exports/${view.id}/download`, { redirect: 'manual' });
    expect([download.status, (await bodyOf(download)).error.type]).toEqual([410, 'gone']);
    expect((await call(`/v1/exports/${view.id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await actions(view.id)).toEqual(['created', 'deleted']);
  });

  it('counts as expired from the moment its time is over, wherever it is shown', async () => {
    const { view } = await exportFile(call, { format: 'csv' });
    await lapse(view.id);
    const listed = async (status: string) =>
      (await bodyOf(call(`/v1/exports?limit=100&status=${status}`))).data
        .filter((each: { id: string }) => each.id === view.id)
        .map((each: { status: string; download_url: unknown }) => [each.status, each.download_url]);
    expect(await bodyOf(call(`/v1/exports/${view.id}`))).toMatchObject({ status: 'expired', download_url: null });
    expect((await call(`/v1/exports/${view.id}/download`, { redirect: 'manual' })).status).toBe(410);
    expect(await listed('completed')).toEqual([]);
    expect(await listed('expired')).toEqual([['expired', null]]);
  });

  it('gives a link for each completed one of a list', async () => {
    const { view } = await exportFile(call, { format: 'csv' });
    const { data } = await bodyOf(call('/v1/exports?limit=1'));
    expect(data[0]).toMatchObject({ id: view.id, status: 'completed', download_url: expect.stringMatching(/^http/) });
  });

  it('streams its progress, then how it ended, then nothing more', async () => {
    const id = await queueExport(call, { format: 'json' });
    const reply = await call(`/v1/exports/${id}/events`);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(reply.headers.get('cache-control')).toMatch(/no-store|no-cache/);
    const heard = serverEvents(await reply.text());
    expect(heard.slice(0, -1).every(({ event }) => event === 'progress')).toBe(true);
    expect(heard.at(-1)).toMatchObject({
      event: 'completed',
      data: { id, object: 'export', status: 'completed', progress: { phase: 'done', percent: 100 } },
    });
    const after = serverEvents(await (await call(`/v1/exports/${id}/events`)).text());
    expect(after.map(({ event }) => event)).toEqual(['completed']);
    const again = await call(`/v1/exports/${id}/events`, { headers: { 'last-event-id': after[0]!.id! } });
    expect([again.status, await again.text()]).toEqual([204, '']);
    // One that lost its connection before the end still hears of it.
    const late = await call(`/v1/exports/${id}/events`, { headers: { 'last-event-id': 'running' } });
    expect(serverEvents(await late.text())).toMatchObject([{ event: 'completed', retry: '2000' }]);
  });

  describe('estimate', () => {
    const estimate = async (json: object) => bodyOf(call('/v1/exports/estimate', { json }));

    it('says how many rows there are, and shows the first five as the file has them', async () => {
      const request = {
        format: 'csv',
        filter: { action: 'user.login' },
        properties: [{ name: 'occurred_at', displayName: 'Time' }, { name: 'metadata.n' }, { name: 'metadata.none' }],
        csv: { delimiter: ';' },
      };
      const { text } = await exportFile(call, request);
      const answer = await estimate(request);
      expect(answer).toMatchObject({ rows: 6, rows_is: 'exact', seconds_estimate: expect.any(Number) });
      expect(answer.preview.columns).toEqual(['Time', 'metadata.n', 'metadata.none']);
      expect(answer.preview.rows).toEqual(
        [1, 3, 5, 7, 9].map((n) => [`2025-01-01T00:00:0${n}.000000Z`, String(n), null]),
      );
      expect(answer.preview.text).toBe(`${text.split('\r\n').slice(0, 6).join('\r\n')}\r\n`);
      expect(Math.abs(answer.bytes_estimate - text.length)).toBeLessThan(text.length / 4);
    });

    it.each([
      ['json', '[]'],
      ['ndjson', ''],
      ['csv', 'id\r\n'],
    ])('is of a valid, empty file for no rows as %s', async (format, text) => {
      const answer = await estimate({
        format,
        filter: { action: 'nothing.like.this' },
        properties: [{ name: 'id' }],
      });
      expect(answer).toMatchObject({ rows: 0, rows_is: 'exact', preview: { columns: ['id'], rows: [] } });
      expect(answer.preview.text.replace(/\n$/, format === 'csv' ? '\n' : '')).toBe(text);
    });

    it('previews JSON that parses, in the order asked for', async () => {
      const request = {
        format: 'json',
        filter: { through_sequence: 12 },
        sort: [{ field: 'occurred_at', direction: 'desc' }],
      };
      const { preview } = await estimate(request);
      const rows = JSON.parse(preview.text);
      expect(rows.map((row: { sequence_number: number }) => row.sequence_number)).toEqual([12, 11, 10, 9, 8]);
      expect(preview.rows).toHaveLength(5);
      expect(preview.rows[0]).toHaveLength(preview.columns.length);
    });

    it('warns of a CSV whose null rows are blank lines', async () => {
      const warnings = async (request: object) => (await estimate({ format: 'csv', ...request })).warnings;
      const one = { properties: [{ name: 'metadata.none' }] };
      expect(await warnings(one)).toEqual([expect.stringMatching(/null are blank lines.*csv\.null/)]);
      expect(await warnings({ ...one, csv: { null: 'NULL' } })).toEqual([]);
      expect(await warnings({ ...one, format: 'ndjson' })).toEqual([]);
      expect(await warnings({ properties: [{ name: 'id' }] })).toEqual([]);
      expect(await warnings({ properties: [{ name: 'actor.id' }, { name: 'id' }] })).toEqual([]);
    });

    it('stores nothing and writes nothing into the audit log', async () => {
      const count = async () =>
        (
          await app.database.pool.query(
            'select (select count(*) from exports), (select count(*) from events) as events',
          )
        ).rows;
      const before = await count();
      await estimate({ format: 'ndjson', compression: 'zstd' });
      expect(await count()).toEqual(before);
    });
  });

  it('ends as canceled when it is canceled before a worker has it, and its stream says so', async () => {
    const idle = await startExporting({}, { worker: false });
    try {
      const { call } = await idle.newTenant();
      const id = await queueExport(call, { format: 'csv' });
      const stream = await call(`/v1/exports/${id}/events`);
      await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
      const heard = serverEvents(await stream.text());
      expect(heard.map(({ event }) => event)).toEqual(['progress', 'canceled']);
      await idle.work();
      expect(await endedExport(call, id)).toMatchObject({ status: 'canceled', rows: null, complete: null });
    } finally {
      await idle.close();
    }
  });
});
