import type { Stage } from './attack.ts';

export type Asked = { key?: string; method?: string; body?: string | Buffer; headers?: Record<string, string> };

/** One request of the attacker, or of whoever has `key`. */
export const ask =
  ({ target }: Stage, path: string, { key = target.attacker.key, method, body, headers }: Asked = {}) =>
  (signal: AbortSignal): Promise<Response> =>
    fetch(`${target.url}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: body as RequestInit['body'],
      redirect: 'manual',
      signal,
    });
