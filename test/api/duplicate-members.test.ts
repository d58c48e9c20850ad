import { afterAll, beforeAll, expect, it } from 'vitest';
import { type App, bodyOf, type Call, startApp } from './start-app.ts';

let app: App;
let call: Call;
beforeAll(async () => {
  app = await startApp();
  ({ call } = await app.newTenant());
});
afterAll(() => app.close());

it.each([
  ['/v1/events', 'json', '{"action": "a", "action": "b"}', 'action'],
  ['/v1/events', 'json', '{"action": "a", "metadata": {"a": 1, "\\u0061": 2}}', 'metadata.a'],
  ['/v1/events/batch', 'json', '{"events": [{"action": "a"}, {"action": "b", "action": "b"}]}', 'events.1.action'],
  ['/v1/events/batch', 'x-ndjson', '{"action": "a"}\n{"action": "a", "actor": {"id": "1", "id": "2"}}\n', 'actor.id'],
  ['/v1/exports', 'json', '{"format": "csv", "filter": {"action": "a", "action": "b"}}', 'filter.action'],
])('names the member that occurs twice in an object: %s %s %s', async (path, type, body, member) => {
  const reply = await call(path, { method: 'POST', body, headers: { 'content-type': `application/${type}` } });
  const { errors } = await bodyOf(reply);
  expect(reply.status).toBe(422);
  expect(errors).toEqual([
    { path: expect.stringContaining(member), message: expect.stringContaining('occurs twice in its object') },
  ]);
  const { data } = await bodyOf(call('/v1/events'));
  expect(data).toEqual([]);
});
