import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Request, RequestHandler, Response } from 'express';
import type { Config } from '../core/config.ts';
import { AppError } from '../core/errors.ts';
import { storedContentTypes } from '../core/exports/stored-file.ts';
import { unreadLimitMs } from '../core/limits/replies.ts';
import type { Metrics } from '../core/metrics.ts';
import type { KeyRing, SecretKey } from '../core/secret-key.ts';
import { findStoredObject, layout } from '../core/storage/file/layout.ts';
import { openSignedPathByAny } from '../core/storage/file/signed-path.ts';
import { meterStream } from './http/metrics.ts';
import { ifNoneMatch, range } from './openapi/parameters.ts';
import type { Route } from './route.ts';
import type { ServedFiles } from './served-files.ts';

/** Headers that tell of the file, and so do not belong to an error. Content-Range comes back with the 416. */
const fileHeaders = ['Content-Type', 'Content-Disposition', 'Content-Range', 'ETag', 'Last-Modified', 'Accept-Ranges'];

type Deps = {
  config: Pick<Config, 'storageUrl'>;
  secretKey: Pick<SecretKey, 'linkKeys'>;
  metrics: Metrics;
  servedFiles: ServedFiles;
};

const content = Object.fromEntries(
  storedContentTypes.map((type) => [
    type.replace(/;.*/, ''),
    type.startsWith('application/json')
      ? { schema: { type: 'array' }, example: [] }
      : { schema: { type: 'string' }, example: '' },
  ]),
);
const contentHeaders = ['Content-Disposition', 'Accept-Ranges', 'ETag', 'Cache-Control'] as const;

/**
 * Serves the links of the file storage, with ranges and conditions. The signature in the link is the only credential, so it is
 * behind nothing that asks for one. Replies are never to be cached, since a link must not outlive its expiry in somebody's cache.
 */
export const getFile: Route<Deps> = {
  id: 'getFile',
  method: 'get',
  path: '/files/*key',
  summary: 'Download a file',
  description: 'Only by a link as `download_url` has it: the signature in its query is the credential.',
  by: 'public',
  parameters: [
    {
      name: 'key',
      in: 'path',
      required: true,
      description: 'Of the stored file. It holds slashes, which are not escaped',
      schema: { type: 'string' },
    },
    range,
    ifNoneMatch,
  ],
  replies: {
    200: { description: 'The file', headers: contentHeaders, content },
    206: { description: 'The range that was asked for', headers: [...contentHeaders, 'Content-Range'], content },
    304: { description: 'The client has it', headers: ['ETag'] },
    412: { description: 'A condition of the request does not hold' },
  },
  errors: ['bad_request', 'scope_error', 'not_found', 'range_not_satisfiable'],
  handle: sendFile,
};

function sendFile({ config, secretKey, metrics, servedFiles }: Deps): RequestHandler {
  const directory = resolve(fileURLToPath(config.storageUrl));
  return async (request, response) => {
    meterStream(metrics, 'files', response);
    response.set({ 'Cache-Control': 'private, no-store', 'X-Content-Type-Options': 'nosniff' });
    const { key, contentType, contentDisposition } = openLink(secretKey.linkKeys, request);
    const object = await findStoredObject(directory, key);
    if (!object) throw noSuchFile();
    // setHeader, as Express would add a charset to the type.
    response.setHeader('Content-Type', contentType);
    response.setHeader('Content-Disposition', contentDisposition);
    response.setHeader('ETag', `"${object.etag}"`);
    request.headers.range = satisfiable(request.headers.range, object.bytes);
    countBytes(request, response, (bytes) =>
      servedFiles.served({ key, link: request.url, bytes, ip: request.ip ?? null }),
    );
    response.setTimeout(unreadLimitMs.streams);
    await sendContent(response, object.folder);
  };
}

/** About as much is the head of a reply: what a client that went away had of the file is counted to within it. */
const headBytes = 600;

/** Says, when the reply has ended, how many bytes of the file went out. */
function countBytes(request: Request, response: Response, tell: (bytes: number) => void): void {
  if (request.method !== 'GET') return;
  const { socket } = request;
  const before = socket.bytesWritten;
  response.once('close', () => {
    if (response.statusCode !== 200 && response.statusCode !== 206) return;
    const whole = Number(response.getHeader('Content-Length') ?? 0);
    const written = Math.max(0, socket.bytesWritten - before - headBytes);
    tell(response.writableFinished ? whole : Math.min(whole, written));
  });
}

function openLink(linkKeys: KeyRing, request: Request) {
  const key = ([] as string[]).concat(request.params.key ?? []).join('/');
  const query = new URLSearchParams(request.url.split('?').slice(1).join('?'));
  const link = openSignedPathByAny(linkKeys, { key, query, now: new Date() });
  const again = 'Ask the export again (GET /v1/exports/:id) for a fresh download_url.';
  if (link.outcome === 'wrong') {
    throw new AppError('scope_error', `This link is not signed, or it was changed after signing. ${again}`);
  }
  if (link.outcome === 'expired') throw new AppError('scope_error', `This link has expired. ${again}`);
  return { ...link, key };
}

/**
 * A suffix that is longer than the file means the whole file (RFC 9110, 14.1.2), as in S3; the library behind sendFile
 * calls it unsatisfiable.
 */
function satisfiable(range: string | undefined, bytes: number): string | undefined {
  const suffix = /^bytes=-(\d+)$/.exec(range ?? '');
  return suffix && bytes > 0 && Number(suffix[1]) > bytes ? 'bytes=0-' : range;
}

/** Ends when the reply is sent or the client has gone, which is no error. @throws what the reply should be instead */
function sendContent(response: Response, folder: string): Promise<void> {
  return new Promise((done, fail) => {
    response.sendFile(layout.content, { root: folder, cacheControl: false, dotfiles: 'allow' }, (error) => {
      if (!error || isAborted(error)) return done();
      // Half a file must not look like a whole one: cut the connection.
      if (response.headersSent) {
        response.destroy();
        return fail(error);
      }
      const size = String(response.getHeader('Content-Range') ?? '').replace(/^.*\//, '');
      for (const name of fileHeaders) response.removeHeader(name);
      const status = (error as { status?: number }).status;
      if (status === 412) return done(void response.status(412).end());
      fail(status === 404 ? noSuchFile() : status === 416 ? notInFile(size) : error);
    });
  });
}

const isAborted = (error: Error): boolean =>
  ['ECONNABORTED', 'ECONNRESET', 'EPIPE'].includes(String(Reflect.get(error, 'code')));

const noSuchFile = (): AppError =>
  new AppError('not_found', 'There is no such file any more: its export has expired or was deleted.');

const notInFile = (size: string): AppError =>
  new AppError('range_not_satisfiable', `The range asked for lies outside the file, which has ${size} bytes.`, {
    headers: { 'Content-Range': `bytes */${size}` },
  });
