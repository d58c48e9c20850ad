import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { RequestHandler } from 'express';
import { AppError } from '../../core/errors.ts';
import { regionsOf } from '../../core/regions.ts';
import type { Route } from '../route.ts';
import type { DocumentConfig } from './document.ts';
import { ifModifiedSince } from './parameters.ts';

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

type Deps = { config: DocumentConfig };

/** The document in a browser, by Swagger UI, with nothing from elsewhere. */
export const docsRoutes: readonly Route<Deps>[] = [
  {
    id: 'getDocs',
    method: 'get',
    path: '/docs',
    summary: 'This document in a browser',
    by: 'public',
    replies: {
      200: {
        description: 'The page',
        headers: ['Content-Security-Policy'],
        content: { 'text/html': { schema: { type: 'string' } } },
      },
      308: { description: 'With a slash at the end: leads to the page', headers: ['Location'] },
    },
    handle: sendPage,
  },
  {
    id: 'getRoot',
    method: 'get',
    path: '/',
    summary: 'Leads to the documentation',
    by: 'public',
    replies: { 302: { description: 'To this document in a browser', headers: ['Location'] } },
    handle: () => (_request, response) => response.redirect(302, 'docs'),
  },
  {
    id: 'getDocsFile',
    method: 'get',
    path: '/docs/:file',
    summary: 'What the page is made of',
    by: 'public',
    parameters: [
      {
        name: 'file',
        in: 'path',
        required: true,
        description: 'A script, style or picture of the page',
        schema: { type: 'string' },
      },
      ifModifiedSince,
    ],
    replies: {
      200: {
        description: 'The file',
        headers: ['Last-Modified'],
        content: {
          'text/javascript': { schema: { type: 'string' } },
          'text/css': { schema: { type: 'string' } },
          'image/png': { schema: { type: 'string', contentMediaType: 'image/png' } },
        },
      },
      304: { description: 'The client has this version', headers: ['Last-Modified'] },
    },
    handle: () => sendFile,
  },
];

function sendPage({ config }: Deps): RequestHandler {
  const headers = headersOf(config);
  return (request, response) => {
    // With a slash at its end, the addresses in the page would lead into the void.
    if (request.path.endsWith('/')) return response.redirect(308, '../docs');
    response.set(headers).type('html').send(page);
  };
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
