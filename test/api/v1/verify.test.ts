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
    const head = { sequence_number: 3, hash: data[2].hash };
    expect(await bodyOf(call('/v1/verify'))).toEqual({
      data: {
        status: 'valid',
        events_checked: 3,
        first_event_id: data[0].id,
        last_event_id: data[2].id,
        broken_at_event_id: null,
        head,
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
        head,
      },
    });
  });

  it('checks a range by itself, refuses one that cannot be, and one behind the end of the log', async () => {
    const { tenant, call } = await app.newTenant();
    const events = ['a', 'b', 'c', 'd'].map((action) => ({ action }));
    const { data } = await bodyOf(call('/v1/events/batch', { json: { events } }));
    await app.database.pool.query(`update events set action = 'x' where tenant_id = $1 and action = 'b'`, [tenant.id]);
    const verified = async (query: string) => (await bodyOf(call(`/v1/verify?${query}`))).data;
    expect(await verified('through_sequence=1')).toMatchObject({ status: 'valid', events_checked: 1 });
    expect(await verified('after_sequence=2')).toMatchObject({
      status: 'valid',
      events_checked: 2,
      first_event_id: data[2].id,
      head: { sequence_number: 4, hash: data[3].hash },
    });
    expect(await verified('after_sequence=1&through_sequence=3')).toMatchObject({
      status: 'broken',
      broken_at_event_id: data[1].id,
    });
    const refused = async (query: string) => {
      const reply = await call(`/v1/verify?${query}`);
      return { status: reply.status, body: await reply.text() };
    };
    expect(await refused('after_sequence=3&through_sequence=2')).toMatchObject({
      status: 422,
      body: expect.stringContaining('is greater than \\"through_sequence\\"'),
    });
    for (const wrong of ['-1', '1.5', 'x', '', '99999999999999999999'])
      expect(await refused(`after_sequence=${wrong}`)).toMatchObject({
        status: 422,
        body: expect.stringContaining('"path":"after_sequence"'),
      });
    expect(await refused('after_sequence=5')).toMatchObject({
      status: 409,
      body: expect.stringContaining('The log ends at 4'),
    });
  });

  it('needs the scope "verify" and takes no other parameters', async () => {
    const { call } = await app.newTenant({ scopes: ['events:read'] });
    expect((await call('/v1/verify')).status).toBe(403);
    const other = await app.newTenant({ scopes: ['verify'] });
    expect((await other.call('/v1/verify')).status).toBe(200);
    expect((await other.call('/v1/verify?from=1')).status).toBe(422);
  });
});
