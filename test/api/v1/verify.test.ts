import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, bodyOf, startApp } from '../start-app.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

describe('GET /v1/verify', () => {
  it('answers what was checked, and where the chain broke', async () => {
    const { tenant, call } = await app.newTenant();
    const events = [{ action: 'a' }, { action: 'b' }, { action: 'c' }];
    const { data } = await bodyOf(call('/v1/events/batch', { json: { events } }));
    expect(await bodyOf(call('/v1/verify'))).toEqual({
      data: {
        status: 'valid',
        events_checked: 3,
        first_event_id: data[0].id,
        last_event_id: data[2].id,
        broken_at_event_id: null,
      },
    });
    await app.database.pool.query(`update events set action = 'x' where tenant_id = $1 and action = 'b'`, [tenant.id]);
    expect(await bodyOf(call('/v1/verify'))).toEqual({
      data: {
        status: 'broken',
        events_checked: 2,
        first_event_id: data[0].id,
        last_event_id: data[1].id,
        broken_at_event_id: data[1].id,
      },
    });
  });

  it('needs the scope "verify" and takes no parameters', async () => {
    const { call } = await app.newTenant({ scopes: ['events:read'] });
    expect((await call('/v1/verify')).status).toBe(403);
    const other = await app.newTenant({ scopes: ['verify'] });
    expect((await other.call('/v1/verify')).status).toBe(200);
    expect((await other.call('/v1/verify?from=1')).status).toBe(422);
  });
});
