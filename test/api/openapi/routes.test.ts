import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, bodyOf, startApp } from '../start-app.ts';
import { readDocument } from './read-document.ts';

describe('The OpenAPI routes', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ LOGFERRY_RATE_LIMIT: '1' });
  });
  afterAll(() => app.close());
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(app.url + path, { headers, redirect: 'manual' });

  /** fetch() would say that it wants no cached reply. */
  const asBrowsers = { 'cache-control': 'max-age=0' };

  it('answer without a key, and count against no limit', async () => {
    for (let time = 0; time < 5; time++) {
      for (const path of ['/openapi.json', '/docs', '/docs/swagger-ui.css']) {
        const reply = await get(path);
        expect(reply.status).toBe(200);
        expect(reply.headers.get('x-ratelimit-limit')).toBeNull();
        await reply.text();
      }
    }
  });

  it('answer the document as JSON, with the base URL of this deployment', async () => {
    const reply = await get('/openapi.json');
    expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await bodyOf(reply)).toMatchObject({ openapi: '3.1.1', servers: [{ url: app.url }] });
  });

  it('answer 304 to who has the document, or what the page is made of', async () => {
    const etag = (await get('/openapi.json')).headers.get('etag')!;
    const document = (tag: string) => get('/openapi.json', { 'if-none-match': tag, ...asBrowsers });
    expect((await document(etag)).status).toBe(304);
    expect((await document('"another"')).status).toBe(200);
    for (const path of ['/docs/swagger-ui-bundle.js', '/docs/show-document.js']) {
      const since = (await get(path)).headers.get('last-modified')!;
      const file = (time: string) => get(path, { 'if-modified-since': time, ...asBrowsers });
      expect((await file(since)).status).toBe(304);
      expect((await file(new Date(0).toUTCString())).status).toBe(200);
    }
  });

  it('let pages of other origins read the document', async () => {
    const reply = await get('/openapi.json', { origin: 'https://editor.example.com' });
    expect(reply.headers.get('access-control-allow-origin')).toBe('*');
  });

  it('answer a page whose parts are all there, under a policy that allows them and nothing inline', async () => {
    const reply = await get('/docs');
    const page = await reply.text();
    const policy = reply.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/unsafe|https:/);
    expect(page).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|style=/);
    const parts = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address!);
    expect(parts.length).toBe(4);
    for (const part of parts) {
      // Relative, so that a prefix before /docs stands before these as well.
      expect(part).toMatch(/^docs\/[\w.-]+$/);
      const file = await get(`/${part}`);
      expect(file.status).toBe(200);
      expect(file.headers.get('content-type')).toMatch(
        { js: /javascript/, css: /^text\/css/, png: /^image\/png/ }[part.split('.').at(-1)!]!,
      );
      expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
  });

  it('lead from /docs/ to /docs, with whatever prefix a proxy has put before it', async () => {
    const reply = await get('/docs/');
    expect(reply.status).toBe(308);
    const location = reply.headers.get('location')!;
    expect(new URL(location, 'https://example.com/audit/docs/').href).toBe('https://example.com/audit/docs');
  });

  it.each(['/docs/swagger-ui-bundle.js.map', '/docs/package.json', '/docs/..%2fpackage.json', '/docs/__proto__'])(
    'answer 404 for %s',
    async (path) => {
      const reply = await get(path);
      expect(reply.status).toBe(404);
      expect((await bodyOf(reply)).error.type).toBe('not_found');
    },
  );

  it('answer the same document each time', async () => {
    const [one, other] = await Promise.all([readDocument(app.url), readDocument(app.url)]);
    expect(one.document).toEqual(other.document);
  });
});
