import { afterEach, describe, expect, it } from 'vitest';
import { type App, bodyOf, startApp } from './start-app.ts';

describe('Health', () => {
  let app: App;
  afterEach(() => app.close());

  it('is alive, and ready when all that it needs is there', async () => {
    app = await startApp();
    expect((await fetch(`${app.url}/livez`)).status).toBe(200);
    const ready = await fetch(`${app.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await bodyOf(ready)).toEqual({ status: 'ok', checks: { database: 'ok' }, not_ready: [] });
  });

  it('names what is not ready, without the reason, and waits 2 s at most for what hangs', async () => {
    const checks = [
      { name: 'database', check: async () => {} },
      { name: 'storage', check: () => Promise.reject(new Error('secret reason')) },
      { name: 'queue', check: () => new Promise(() => {}) },
      {
        name: 'thrown',
        check: () => {
          throw new Error('at once');
        },
      },
    ];
    app = await startApp({}, { checks });
    const start = performance.now();
    const reply = await fetch(`${app.url}/readyz`);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('5');
    expect(await bodyOf(reply)).toEqual({
      status: 'unavailable',
      checks: { database: 'ok', storage: 'not ready', queue: 'not ready', thrown: 'not ready' },
      not_ready: ['storage', 'queue', 'thrown'],
    });
    expect((await fetch(`${app.url}/livez`)).status).toBe(200);
  });
});
