import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerUnreadable } from '../../../api/http/answer-unreadable.ts';
import { headLimitBytes } from '../../../core/limits/bodies.ts';

describe('what never becomes a request', () => {
  const server = createServer({ maxHeaderSize: headLimitBytes }, (_request, response) => response.end('served'));
  beforeAll(async () => {
    server.on('clientError', answerUnreadable);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => server.close());

  const send = async (bytes: string) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(bytes);
    return text(socket);
  };

  it.each([
    ['FOO /v1/tenants HTTP/1.1\r\nHost: a\r\n\r\n', 'is not HTTP'],
    ['complete nonsense\r\n\r\n', 'is not HTTP'],
    [`GET /?${'a=1&'.repeat(headLimitBytes / 4)} HTTP/1.1\r\nHost: a\r\n\r\n`, 'longer than 65536 bytes'],
  ])('is answered with a problem document (%#)', async (bytes, expected) => {
    const [head, body] = (await send(bytes)).split('\r\n\r\n') as [string, string];
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(head).toMatch(/application\/problem\+json/);
    const problem = JSON.parse(body);
    expect(problem).toMatchObject({ status: 400, error: { type: 'bad_request' } });
    expect(problem.detail).toContain(expected);
    expect(head).toContain(`X-Request-Id: ${problem.request_id}`);
  });

  it('leaves room for a filter of a thousand values', async () => {
    const query = Array.from({ length: 1000 }, (_, i) => `actor_id=user_${i}_of_a_tenant`).join('&');
    expect(await send(`GET /?${query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)).toContain('served');
  });
});
