import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as it came to a server of this process. */
export type S3Request = {
  method: string;
  /** Of the object, without the bucket; empty in requests about the bucket. */
  key: string;
  query: URLSearchParams;
  at: number;
  status?: number;
};

export type S3Requests = {
  all: S3Request[];
  /** How often each part of an object was put, whatever became of it: by key, and then by part number. */
  partsPut(): Map<string, Map<number, number>>;
  stop(): void;
};

type Told = { request: IncomingMessage; response: ServerResponse };

/** Writes down what is asked of the HTTP server that this process has on a port (test/disturbing-proxy.ts), until stopped. */
export function recordRequests(port: number): S3Requests {
  const all: S3Request[] = [];
  const hear = (message: unknown) => {
    const { request, response } = message as Told;
    if (request.socket.localPort !== port) return;
    const { pathname, searchParams: query } = new URL(request.url!, 'http://localhost');
    const key = decodeURIComponent(pathname.split('/').slice(2).join('/'));
    const heard: S3Request = { method: request.method!, key, query, at: Date.now() };
    all.push(heard);
    response.once('finish', () => {
      heard.status = response.statusCode;
    });
  };
  subscribe('http.server.request.start', hear);
  return {
    all,
    partsPut() {
      const objects = new Map<string, Map<number, number>>();
      for (const { method, key, query } of all) {
        const part = Number(query.get('partNumber'));
        if (method !== 'PUT' || !part) continue;
        const counts = objects.get(key) ?? new Map<number, number>();
        objects.set(key, counts.set(part, (counts.get(part) ?? 0) + 1));
      }
      return objects;
    },
    stop: () => void unsubscribe('http.server.request.start', hear),
  };
}
