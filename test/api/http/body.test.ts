import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jsonBody, parse } from '../../../api/http/body.ts';
import { errorHandler } from '../../../api/http/error-handler.ts';
import { holdMemory } from '../../../api/http/held-memory.ts';
import { logRequests } from '../../../api/http/request-log.ts';
import { openByteBudget } from '../../../core/limits/byte-budget.ts';
import { memoryLimitBytes } from '../../../core/limits/memory.ts';
import { makeMetrics } from '../../../core/metrics.ts';
import { strictObject } from '../../../core/strict-object.ts';
import { heardLog } from '../heard-log.ts';
import { bodyOf } from '../start-app.ts';

describe('jsonBody', () => {
  let server: Server;
  let url: string;
  const { log, entry } = heardLog();
  beforeAll(async () => {
    const app = express();
    app.use(logRequests(log), holdMemory(openByteBudget(memoryLimitBytes('api'), makeMetrics())));
    app.post('/', jsonBody(), (request, response) => {
      response.json({ body: request.body ?? null, without: request.body === undefined });
    });
    app.post('/strict', jsonBody(), (request, response) => {
      const inner = strictObject({ list: z.array(strictObject({ name: z.string({ error: 'must be text' }) })) });
      response.json(parse(inner, request.body));
    });
    app.use(errorHandler(log));
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const post = (body: RequestInit['body'], headers: Record<string, string> = {}, path = '/') =>
    fetch(url + path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });

  it.each([
    ['application/json'],
    ['application/json; charset=UTF-8'],
    ['Application/JSON;charset="utf-8"'],
    ['application/vnd.acme+json'],
  ])('reads %s', async (type) => {
    expect((await bodyOf(post('{"a": [1]}', { 'content-type': type }))).body).toEqual({ a: [1] });
  });

  it('reads a body without a type as JSON', async () => {
    const request = httpRequest(url, { method: 'POST' });
    request.end('{"a": 1}');
    const [reply] = await once(request, 'response');
    expect(reply.statusCode).toBe(200);
    reply.resume();
  });

  it.each([
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['application/json; charset=utf-16'],
    ['application/jsonp'],
    ['multipart/form-data'],
  ])('answers 415 for %s, naming what is taken', async (type) => {
    const reply = await post('{}', { 'content-type': type });
    expect(reply.status).toBe(415);
    expect((await bodyOf(reply)).detail).toContain('application/json');
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('unpacks %s', async (encoding, compress) => {
    const reply = await post(compress('{"a": 1}') as Uint8Array<ArrayBuffer>, { 'content-encoding': encoding });
    expect((await bodyOf(reply)).body).toEqual({ a: 1 });
  });

  it('answers 415 for an encoding that it does not know', async () => {
    const reply = await post('{}', { 'content-encoding': 'rot13' });
    expect(reply.status).toBe(415);
    expect((await bodyOf(reply)).detail).toContain('gzip');
  });

  it('answers 400 for what is not compressed as it says', async () => {
    expect((await post('{}', { 'content-encoding': 'gzip' })).status).toBe(400);
  });

  it.each([['{"a": 1'], ['{"a": 1,}'], ['nope'], ["{'a': 1}"], ['\ufeff'], ['NaN'], [' ']])(
    'answers 400 for %j',
    async (text) => {
      const reply = await post(text);
      expect(reply.status).toBe(400);
      expect((await bodyOf(reply)).error.type).toBe('bad_request');
    },
  );

  it('answers 400 for bytes that are not UTF-8', async () => {
    expect((await post(Buffer.from('"\xff"', 'latin1') as Uint8Array<ArrayBuffer>)).status).toBe(400);
  });

  it('takes 1 MiB, and answers 413 for a byte more, saying the limit', async () => {
    const text = (length: number) => `"${'x'.repeat(length - 2)}"`;
    expect((await post(text(1024 * 1024))).status).toBe(200);
    const reply = await post(text(1024 * 1024 + 1));
    expect(reply.status).toBe(413);
    expect(await bodyOf(reply)).toMatchObject({
      detail: expect.stringContaining('1048576 bytes'),
      error: { type: 'payload_too_large' },
    });
  });

  it('answers 413 for 20 MB, and goes on serving', async () => {
    expect((await post('x'.repeat(20_000_000))).status).toBe(413);
    expect((await post('{}')).status).toBe(200);
  });

  it('answers 413 for a small body that unpacks to a large one', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, ' ')) as Uint8Array<ArrayBuffer>;
    expect((await post(bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
  });

  it('leaves the body undefined when there is none', async () => {
    expect(await bodyOf(post(undefined))).toEqual({ body: null, without: true });
    expect(await bodyOf(post('', { 'content-type': 'text/plain' }))).toEqual({ body: null, without: true });
    expect(await bodyOf(post('null'))).toEqual({ body: null, without: false });
  });

  it('survives a client that goes away in the middle of its body', async () => {
    const request = httpRequest(url, { method: 'POST', headers: { 'content-length': 100, 'x-request-id': 'gone' } });
    request.on('error', () => {});
    request.write('{"a":', () => request.destroy());
    expect(await entry((line) => line.request_id === 'gone')).toMatchObject({ msg: 'request', aborted: true });
    expect((await post('{}')).status).toBe(200);
  });

  it('answers 400 where a body is needed and there is none', async () => {
    const reply = await post(undefined, {}, '/strict');
    expect(reply.status).toBe(400);
    expect((await bodyOf(reply)).error).toEqual({ type: 'bad_request', message: 'This call needs a JSON body.' });
  });

  it('answers 422 with every mistake at its dotted path', async () => {
    const reply = await post('{"list": [{"name": 1}, {"nam": "x", "b": 1, "__proto__": 2}]}', {}, '/strict');
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).errors).toEqual([
      { path: 'list.0.name', message: 'must be text' },
      { path: 'list.1.name', message: 'must be text' },
      { path: 'list.1.nam', message: expect.stringContaining('did you mean "name"?') },
      { path: 'list.1.b', message: 'unknown member "b"' },
      { path: 'list.1.__proto__', message: 'unknown member "__proto__"' },
    ]);
  });

  it.each([['[]'], ['1'], ['"{}"'], ['null'], ['true']])('answers 422 where %s stands for an object', async (text) => {
    const reply = await post(text, {}, '/strict');
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).detail).toBe('The body must be a JSON object');
  });

  it('answers 422 for a number that would be rounded', async () => {
    const reply = await post('{"list": 12345678901234567890}', {}, '/strict');
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).detail).toContain('send it as text');
  });

  it('answers 422 for nesting that never ends', async () => {
    const reply = await post('['.repeat(500_000), {}, '/strict');
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).detail).toContain('levels deep');
  });
});
