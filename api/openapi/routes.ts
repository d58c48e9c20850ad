import { createHash } from 'node:crypto';
import { type RequestHandler, Router } from 'express';
import { docsRoutes } from './docs.ts';
import { buildDocument, type DocumentConfig } from './document.ts';

/** GET /openapi.json and GET /docs, for anybody: they say how to ask, and nothing of whom it concerns. */
export function openApiRoutes(config: DocumentConfig): Router {
  const router = Router();
  router.get('/openapi.json', sendDocument(config));
  router.use(docsRoutes(config));
  return router;
}

/** Builds the document when it is first asked for: no process that nobody asks needs it. */
function sendDocument(config: DocumentConfig): RequestHandler {
  let built: { text: string; etag: string } | undefined;
  return (_request, response) => {
    built ??= withETag(JSON.stringify(buildDocument(config)));
    // Express answers 304 by itself when the client has this ETag.
    response.set({ ETag: built.etag, 'Cache-Control': 'no-cache' }).type('json').send(built.text);
  };
}

const withETag = (text: string) => ({
  text,
  etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`,
});
