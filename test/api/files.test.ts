import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../core/errors.ts';
import { attachment } from '../../core/exports/content-disposition.ts';
import { signPath } from '../../core/storage/file/signed-path.ts';
import { serveFiles } from './serve-files.ts';

describe('GET /files', () => {
  const bytes = Buffer.from('0123456789abcdefghij');
  const key = `exports/${randomUUID()}/${randomUUID()}/file.csv.gz`;
  const contentDisposition = attachment('Übersicht.csv.gz');
  let served: Awaited<ReturnType<typeof serveFiles>>;
  let url: string;

  const storeBytes = async (under: string, body: Buffer) => {
    const upload = await served.store.beginUpload(under, 'application/gzip');
    const part = await served.store.putPart(upload, { partNumber: 1, offset: 0, body: [body] });
    return (await served.store.completeUpload(upload, [part])).object;
  };
  const linkTo = async (under: string) => {
    const options = { expiresInSeconds: 60, contentType: 'application/gzip', contentDisposition };
    return (await served.store.signLink(under, options)).url;
  };
  /** Without the Cache-Control that fetch adds to conditional requests. */
  const statusWith = async (headers: Record<string, string>) => {
    const [response] = await once(get(url, { headers }), 'response');
    return response.resume().statusCode;
  };
  const fetchWith = (headers: Record<string, string>, method = 'GET') => fetch(url, { headers, method });

  beforeAll(async () => {
    served = await serveFiles();
    await storeBytes(key, bytes);
    url = await linkTo(key);
  });
  beforeEach(() => served.errors.splice(0));
  afterAll(() => served.close());

  it('sends the whole file with the headers of a private download', async () => {
    const response = await fetchWith({});
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-store',
      'content-disposition': contentDisposition,
      'content-length': '20',
      'content-type': 'application/gzip',
      etag: `"${(await served.store.statObject(key))!.etag}"`,
      'x-content-type-options': 'nosniff',
    });
    expect(Date.parse(response.headers.get('last-modified')!)).toBeLessThanOrEqual(Date.now());
    expect(response.headers.has('content-encoding')).toBe(false);
    expect(await response.text()).toBe(bytes.toString());
  });

  it('adds no charset to the type that was signed', async () => {
    const signed = { key, expires: 4_000_000_000, contentType: 'text/csv', contentDisposition };
    const response = await fetch(served.publicUrl + signPath(served.linkKey, signed));
    expect(response.headers.get('content-type')).toBe('text/csv');
  });

  it('answers HEAD with the same headers and no body', async () => {
    const response = await fetchWith({}, 'HEAD');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('20');
    expect(response.headers.get('content-disposition')).toBe(contentDisposition);
    expect(await response.text()).toBe('');
  });

  it.each([
    ['bytes=0-3', 'bytes 0-3/20', '0123'],
    ['bytes=15-', 'bytes 15-19/20', 'fghij'],
    ['bytes=-4', 'bytes 16-19/20', 'ghij'],
    ['bytes=18-1000', 'bytes 18-19/20', 'ij'],
    ['bytes=-1000', 'bytes 0-19/20', '0123456789abcdefghij'],
  ])('answers 206 for the range %s', async (range, contentRange, text) => {
    const response = await fetchWith({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('content-length')).toBe(String(text.length));
    expect(await response.text()).toBe(text);
  });

  it.each(['bytes=0-1,5-6', 'bytes=x-y', 'lines=0-1'])('sends the whole file for the range %s', async (range) => {
    const response = await fetchWith({ range });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(bytes.toString());
  });

  it('answers 416 with the size for a range outside the file, and none of its headers', async () => {
    const response = await fetchWith({ range: 'bytes=20-' });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */20');
    expect(response.headers.has('content-disposition')).toBe(false);
    expect(response.headers.has('last-modified')).toBe(false);
    expect(await response.text()).toContain('which has 20 bytes');
    expect(served.errors).toMatchObject([{ type: 'range_not_satisfiable' }]);
  });

  it('sends a range only of the file that If-Range names', async () => {
    const etag = (await fetchWith({}, 'HEAD')).headers.get('etag')!;
    expect((await fetchWith({ range: 'bytes=0-3', 'if-range': etag })).status).toBe(206);
    expect((await fetchWith({ range: 'bytes=0-3', 'if-range': '"another"' })).status).toBe(200);
    const yesterday = new Date(Date.now() - 86_400_000).toUTCString();
    expect((await fetchWith({ range: 'bytes=0-3', 'if-range': yesterday })).status).toBe(200);
  });

  it('answers 304 when the client has the file, 412 when it insists on another one', async () => {
    const etag = (await fetchWith({}, 'HEAD')).headers.get('etag')!;
    expect(await statusWith({ 'if-none-match': etag })).toBe(304);
    expect(await statusWith({ 'if-none-match': `"another", ${etag}` })).toBe(304);
    expect(await statusWith({ 'if-none-match': '"another"' })).toBe(200);
    expect(await statusWith({ 'if-modified-since': new Date(Date.now() + 60_000).toUTCString() })).toBe(304);
    expect(await statusWith({ 'if-match': etag })).toBe(200);
    expect(await statusWith({ 'if-match': '"another"' })).toBe(412);
  });

  it('sends an empty file', async () => {
    const empty = `exports/${randomUUID()}/file.csv`;
    await storeBytes(empty, Buffer.alloc(0));
    const response = await fetch(await linkTo(empty));
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', '']);
  });

  it('answers 404 for a file that was deleted', async () => {
    const gone = `exports/${randomUUID()}/file.csv`;
    await storeBytes(gone, bytes);
    await served.store.deleteObject(gone);
    const response = await fetch(await linkTo(gone));
    expect([response.status, response.headers.has('content-disposition')]).toEqual([404, false]);
    expect(served.errors).toMatchObject([{ type: 'not_found' }]);
  });

  it('answers 403 with the way to a fresh link when the link expired', async () => {
    const signed = { key, expires: 1_700_000_000, contentType: 'text/csv', contentDisposition };
    const response = await fetch(served.publicUrl + signPath(served.linkKey, signed));
    expect(response.status).toBe(403);
    expect(await response.text()).toMatch(/expired.*GET \/v1\/exports\/:id/);
    expect(served.errors).toMatchObject([{ type: 'scope_error' }]);
  });

  it('answers 403 for a link that is not signed, whether or not the file exists', async () => {
    const replies = [`${served.publicUrl}/files/${key}`, `${served.publicUrl}/files/exports/none`].map(
      async (plain) => {
        const response = await fetch(plain);
        return [response.status, await response.text()];
      },
    );
    const [real, none] = await Promise.all(replies);
    expect(real![0]).toBe(403);
    expect(real).toEqual(none);
  });

  it.each(['/files/../package.json', '/files/..%2f..%2fetc%2fpasswd', '/files/%00', '/files//etc/passwd'])(
    'gives nothing for the path %s',
    async (path) => {
      const request = get(`${served.publicUrl}/`, { path: `${path}${new URL(url).search}` });
      const [response] = await once(request, 'response');
      response.resume();
      expect([403, 404]).toContain(response.statusCode);
    },
  );

  it('answers 405 for a change', async () => {
    const response = await fetchWith({}, 'DELETE');
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('takes a client that goes away in the middle of a file as no error, and serves the next', async () => {
    const large = `exports/${randomUUID()}/file.bin`;
    await storeBytes(large, randomBytes(16 * 1024 * 1024));
    const closed = new Promise<void>((resolve) => {
      served.server.once('request', (_request, response) => response.once('close', resolve));
    });
    const request = get(await linkTo(large));
    const [response] = await once(request, 'response');
    await once(response, 'data');
    response.on('error', () => {});
    request.destroy();
    await closed;
    expect((await fetchWith({})).status).toBe(200);
    expect(served.errors).toEqual([]);
  });

  it('passes errors on as errors of the application', async () => {
    await fetch(`${served.publicUrl}/files/unsigned`);
    expect(served.errors[0]).toBeInstanceOf(AppError);
  });
});
