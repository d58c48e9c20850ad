import { afterAll, beforeAll, expect, it } from 'vitest';
import { type App, bodyOf, startApp } from '../start-app.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

it('A database without room answers 503 and takes nothing, and takes events again when there is some', async () => {
  const { call } = await app.newTenant();
  const { pool } = app.database;
  await pool.query(`
    create function no_room() returns trigger language plpgsql as
      $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
    create trigger no_room before insert on events for each statement execute function no_room()`);
  const body = { action: 'a' };
  for (const [path, json] of [
    ['/v1/events', body],
    ['/v1/events/batch', { events: [body, body] }],
  ] as const) {
    const reply = await call(path, { json });
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '60']);
    const { detail, error } = await bodyOf(reply);
    expect(error.type).toBe('unavailable');
    expect(detail).toMatch(/^The database has no room/);
  }
  expect((await call('/v1/events')).status).toBe(200);
  await pool.query('drop trigger no_room on events');
  expect((await call('/v1/events', { json: body })).status).toBe(201);
});
