import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, bodyOf, startApp } from '../api/start-app.ts';

describe('a tenant whose chain is locked', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  it('keeps nobody else waiting, however many of its own requests do', async () => {
    const [busy, other] = await Promise.all([app.newTenant(), app.newTenant()]);
    const client = await app.database.pool.connect();
    try {
      await client.query('begin');
      await client.query('select from chain_heads where tenant_id = $1 for update', [busy.tenant.id]);
      const waiting = Array.from({ length: 40 }, () => busy.call('/v1/exports', { json: { format: 'csv' } }));
      // Were they to wait in the database, these would find no connection left.
      for (let i = 0; i < 5; i++) {
        expect((await other.call('/v1/exports')).status).toBe(200);
        expect((await other.call('/v1/exports', { json: { format: 'csv' } })).status).toBe(202);
      }
      await client.query('commit');
      const replies = await Promise.all(waiting);
      expect(replies.map((reply) => reply.status)).toEqual(Array.from({ length: 40 }, () => 202));
    } finally {
      client.release();
    }
  });

  it('is told by 503 to come again when the lock takes too long', async () => {
    const { tenant, call } = await app.newTenant();
    // The real limit is longer than a test should be.
    app.database.pool.on('connect', (client) => void client.query('set lock_timeout = 50'));
    await Promise.all(Array.from({ length: 20 }, () => app.database.pool.query('set lock_timeout = 50')));
    const client = await app.database.pool.connect();
    try {
      await client.query('begin');
      await client.query('select from chain_heads where tenant_id = $1 for update', [tenant.id]);
      const reply = await call('/v1/exports', { json: { format: 'csv' } });
      expect(reply.status).toBe(503);
      expect(reply.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await bodyOf(reply)).toMatchObject({
        error: { type: 'unavailable' },
        detail: expect.stringMatching(/too long/),
      });
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});
