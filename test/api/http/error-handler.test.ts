import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorHandler, problemOf } from '../../../api/http/error-handler.ts';
import { logRequests } from '../../../api/http/request-log.ts';
import { AppError, type ErrorType, errorTypes, invalid } from '../../../core/errors.ts';
import { heardLog } from '../heard-log.ts';
import { bodyOf } from '../start-app.ts';

describe('errorHandler', () => {
  const { log, entry } = heardLog();
  let server: Server;
  let url: string;
  beforeAll(async () => {
    const app = express();
    app.use(logRequests(log));
    app.get('/cut', async (_request, response) => {
      response.write('[1,');
      await new Promise((resolve) => response.write('2', resolve));
      throw new Error('the database went away');
    });
    app.get('/download', (_request, response) => {
      response.set({ 'Content-Disposition': 'attachment', 'Content-Encoding': 'gzip', ETag: '"x"' });
      throw new AppError('gone', 'The file is gone.', { headers: { Link: '<x>' }, members: { export_id: 'e' } });
    });
    app.get('/thrown/:what', (request) => {
      throw { text: 'just text', nothing: null, undefined: undefined, status: { status: 400 } }[request.params.what];
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

  it.each(Object.entries(errorTypes))('describes %s with its status %i and a title', (type, status) => {
    const problem = problemOf(new AppError(type as ErrorType, 'What to do.'), 'id');
    expect(problem).toEqual({
      type: `https://logferry.dev/errors/${type}`,
      title: expect.stringMatching(/^[A-Z]/),
      status,
      detail: 'What to do.',
      request_id: 'id',
      error: { type, message: 'What to do.' },
    });
  });

  it('lists the mistakes of a validation error', () => {
    const errors = [{ path: 'filter.from', message: 'is not a time' }];
    expect(problemOf(invalid(errors), 'id')).toMatchObject({ errors, detail: 'filter.from: is not a time' });
  });

  it('cuts the connection when the reply had begun, so that nobody takes half for the whole', async () => {
    const reply = await fetch(`${url}/cut`);
    expect(reply.status).toBe(200);
    await expect(reply.text()).rejects.toThrow();
    await entry((each) => each.msg === 'request failed');
    expect(await entry((each) => each.msg === 'request' && each.path === '/cut')).toMatchObject({ aborted: true });
  });

  it('drops the headers of the body that did not come, and keeps those of the error', async () => {
    const reply = await fetch(`${url}/download`);
    expect(reply.status).toBe(410);
    for (const name of ['content-disposition', 'content-encoding', 'etag']) expect(reply.headers.has(name)).toBe(false);
    expect(reply.headers.get('link')).toBe('<x>');
    expect(await bodyOf(reply)).toMatchObject({ export_id: 'e', error: { type: 'gone' } });
  });

  it.each(['text', 'status'])('answers 500 for a thrown %s that is no error', async (what) => {
    expect((await fetch(`${url}/thrown/${what}`)).status).toBe(500);
  });
});

describe('invalid', () => {
  it('lists a hundred mistakes of any number, and says how many more there are', () => {
    const found = Array.from({ length: 5_000 }, (_, n) => ({ path: `m${n}`, message: 'is not known' }));
    const { errors, message } = invalid(found);
    expect(errors).toEqual(found.slice(0, 100));
    expect(message).toMatch(/^m0: is not known; .*; m99: is not known; and 4900 more$/);
  });
});
