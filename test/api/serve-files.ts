import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ErrorRequestHandler } from 'express';
import express from 'express';
import { getFile } from '../../api/files.ts';
import { noRoute } from '../../api/http/error-handler.ts';
import { mount } from '../../api/mount.ts';
import { makeMetrics } from '../../core/metrics.ts';
import { openFileStore } from '../../core/storage/file/open-file.ts';

/** A file store in a folder of its own, whose links a real server on a free port serves until close(). */
export async function serveFiles() {
  const directory = await mkdtemp(join(tmpdir(), 'logferry-files-'));
  const linkKey = randomBytes(32);
  const errors: unknown[] = [];
  const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
    errors.push(error);
    if (!response.headersSent)
      response
        .status(error.status ?? 500)
        .set(error.headers ?? {})
        .send(error.message);
  };
  const noLog = { served() {}, async flush() {} };
  const app = express();
  const config = { storageUrl: pathToFileURL(directory).href };
  mount(app, [getFile], { config, secretKey: { linkKeys: [linkKey] }, metrics: makeMetrics(), servedFiles: noLog });
  const server = app.use(noRoute, answerError).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    store: openFileStore({ directory, publicUrl, linkKey }),
    directory,
    publicUrl,
    linkKey,
    server,
    /** What was passed to next(error), oldest first. */
    errors,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
