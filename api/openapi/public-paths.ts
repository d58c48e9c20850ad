import { type Paths, reply } from './operation.ts';
import { ifModifiedSince, ifNoneMatch, type Parameter, range } from './parameters.ts';

const html = { 'text/html': { schema: { type: 'string' } } };

/** What operators look at. */
export const operationPaths = (): Paths => ({
  '/livez': {
    get: {
      id: 'getLiveness',
      summary: 'Whether the process answers',
      by: 'public',
      replies: {
        200: reply('It does', { schema: 'Liveness', example: { status: 'ok' }, headers: ['Cache-Control'] }),
      },
    },
  },
  '/readyz': {
    get: {
      id: 'getReadiness',
      summary: 'Whether the process can serve, and what is missing',
      by: 'public',
      replies: {
        200: reply('It can', {
          schema: 'Readiness',
          example: { status: 'ok', checks: { database: 'ok', queue: 'away' }, not_ready: [], warnings: ['queue'] },
          headers: ['Cache-Control'],
        }),
        503: reply('It cannot', {
          schema: 'Readiness',
          example: { status: 'unavailable', checks: { database: 'not ready' }, not_ready: ['database'], warnings: [] },
          headers: ['Cache-Control', 'Retry-After'],
        }),
      },
    },
  },
  '/metrics': {
    get: {
      id: 'getMetrics',
      summary: 'Figures for Prometheus',
      by: 'public',
      replies: {
        200: {
          description: 'In the text format of Prometheus',
          headers: ['Cache-Control'],
          content: { 'text/plain': { schema: { type: 'string' }, example: 'logferry_database_up 1\n' } },
        },
      },
    },
  },
  '/admin/queues': {
    get: {
      id: 'getBoard',
      summary: 'The queues in a browser',
      description: 'With the management key as a Bearer token, or as the password of HTTP Basic with any name.',
      by: 'management',
      replies: { 200: { description: 'The page', headers: ['Content-Security-Policy'], content: html } },
      anyQuery: true,
    },
  },
});

const docsFile: Parameter = {
  name: 'file',
  in: 'path',
  required: true,
  description: 'A script, style or picture of the page',
  schema: { type: 'string' },
};

/** This document, and the page that shows it. */
export const documentPaths = (): Paths => ({
  '/openapi.json': {
    get: {
      id: 'getOpenApi',
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
    },
  },
  '/docs': {
    get: {
      id: 'getDocs',
      summary: 'This document in a browser',
      by: 'public',
      replies: {
        200: { description: 'The page', headers: ['Content-Security-Policy'], content: html },
        308: { description: 'With a slash at the end: leads to the page', headers: ['Location'] },
      },
    },
  },
  '/docs/{file}': {
    get: {
      id: 'getDocsFile',
      summary: 'What the page is made of',
      by: 'public',
      parameters: [docsFile, ifModifiedSince],
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
    },
  },
});

const fileKey: Parameter = {
  name: 'key',
  in: 'path',
  required: true,
  description: 'Of the stored file. It holds slashes, which are not escaped',
  schema: { type: 'string' },
};
const file = { '*/*': { schema: {} } };
const fileHeaders = ['Content-Disposition', 'Accept-Ranges', 'ETag', 'Cache-Control'] as const;

/** The links of the file storage. With S3 as the storage they lead there, and this is not part of the API. */
export const filePaths = (): Paths => ({
  '/files/{key}': {
    get: {
      id: 'getFile',
      summary: 'Download a file',
      description: 'Only by a link as `download_url` has it: the signature in its query is the credential.',
      by: 'public',
      parameters: [fileKey, range, ifNoneMatch],
      replies: {
        200: { description: 'The file', headers: fileHeaders, content: file },
        206: { description: 'The range that was asked for', headers: [...fileHeaders, 'Content-Range'], content: file },
        304: { description: 'The client has it', headers: ['ETag'] },
        412: { description: 'A condition of the request does not hold' },
      },
      errors: ['bad_request', 'scope_error', 'not_found', 'range_not_satisfiable'],
    },
  },
});
