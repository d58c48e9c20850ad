import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Route } from '../route.ts';
import { buildDocument, type DocumentConfig, type Group } from './document.ts';
import { ifNoneMatch } from './parameters.ts';

type Deps = { config: DocumentConfig; groups: readonly Group[] };

/** The document says how to ask, and nothing of whom it concerns, so it is for anybody. */
export const getOpenApi: Route<Deps> = {
  id: 'getOpenApi',
  method: 'get',
  path: '/openapi.json',
  summary: 'This document',
  by: 'public',
  parameters: [ifNoneMatch],
  replies: {
    200: {
      description: 'OpenAPI 3.1',
      headers: ['ETag'],
      content: { 'application/json': { schema: { type: 'object' }, example: { openapi: '3.1.1' } } },
    },
    304: { description: 'The client has this version', headers: ['ETag'] },
  },
  handle: sendDocument,
};

/** Builds the document when it is first asked for: no process that nobody asks needs it. */
function sendDocument({ config, groups }: Deps): RequestHandler {
  let built: { text: string; etag: string } | undefined;
  return (_request, response) => {
    built ??= withETag(JSON.stringify(buildDocument(config, groups)));
    // Express answers 304 by itself when the client has this ETag.
    response.set({ ETag: built.etag, 'Cache-Control': 'no-cache' }).type('json').send(built.text);
  };
}

const withETag = (text: string) => ({
  text,
  etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`,
});
