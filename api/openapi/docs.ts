import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type RequestHandler, Router } from 'express';
import { AppError } from '../../core/errors.ts';
import { regionsOf } from '../../core/regions.ts';
import type { DocumentConfig } from './document.ts';

const swaggerUi = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

/** What the page is made of, and where it lies. Nothing else is served from there. */
const files: Record<string, string> = {
  'swagger-ui.css': swaggerUi,
  'swagger-ui-bundle.js': swaggerUi,
  'favicon-32x32.png': swaggerUi,
  'show-document.js': import.meta.dirname,
};

/** Its addresses are relative, so that it works behind any prefix that a proxy adds. */
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Logferry API</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/show-document.js"></script>
</body>
</html>
`;

/** GET /docs: the document in a browser, by Swagger UI, with nothing from elsewhere. */
export function docsRoutes(config: DocumentConfig): Router {
  const headers = headersOf(config);
  const router = Router();
  router.get('/docs', (request, response) => {
    // With a slash at its end, the addresses in the page would lead into the void.
    if (request.path.endsWith('/')) return response.redirect(308, '../docs');
    response.set(headers).type('html').send(page);
  });
  router.get('/docs/:file', sendFile);
  return router;
}

const sendFile: RequestHandler = (request, response, next) => {
  const name = String(request.params.file);
  if (!Object.hasOwn(files, name)) throw new AppError('not_found', `The page has no file ${name.slice(0, 80)}.`);
  response.set({ 'X-Content-Type-Options': 'nosniff', 'Cross-Origin-Resource-Policy': 'same-origin' });
  const options = { root: files[name]!, acceptRanges: false, cacheControl: false };
  response.set('Cache-Control', 'no-cache').sendFile(name, options, (error) => error && next(error));
};

/**
 * The scripts of Swagger UI write no styles into the page and run no text as code, so none of both is allowed. It may call
 * the deployments that the document names, for trying things out.
 */
function headersOf(config: DocumentConfig): Record<string, string> {
  const servers = new Set(Object.values(regionsOf(config)).map((url) => new URL(url).origin));
  return {
    'Content-Security-Policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
      `connect-src 'self' ${[...servers].join(' ')}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-cache',
  };
}
