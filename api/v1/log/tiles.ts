import type { Request, RequestHandler, Response } from 'express';
import { notFound } from '../../../core/errors.ts';
import { hashBytes } from '../../../core/evidence/merkle-tree.ts';
import { parseLevel, parseTileName } from '../../../core/evidence/tiles.ts';
import { pgSql } from '../../../prisma/client.ts';
import { readBundle, readTile } from '../../../prisma/log/read-tiles.ts';
import { tenantOf } from '../../access/tenant-route.ts';
import type { Reply } from '../../openapi/described.ts';
import type { Parameter } from '../../openapi/parameters.ts';
import type { Route } from '../../route.ts';
import type { LogRouteDeps } from './log-deps.ts';

const bytes = (description: string): Reply => ({
  description,
  content: { 'application/octet-stream': { schema: { type: 'string' }, example: '' } },
});

const index: Parameter = {
  name: 'index',
  in: 'path',
  required: true,
  description:
    'In groups of three digits, all but the last with an `x` before it (`x001/234` is 1234); with `.p/` and a width of 1 to 255 behind it for the first hashes of it (`x001/234.p/12`). Its slashes are not escaped',
  schema: { type: 'string', minLength: 1 },
};

const level: Parameter = {
  name: 'level',
  in: 'path',
  required: true,
  description: '0 for the leaves',
  schema: { type: 'integer', minimum: 0, maximum: 63 },
};

/** The tree itself, by c2sp.org/tlog-tiles. The entries come first: else their name would be taken for a level. */
export const tileRoutes: readonly Route<LogRouteDeps>[] = [
  {
    id: 'getLogEntries',
    method: 'get',
    path: '/v1/log/tile/entries/*index',
    summary: 'A bundle of entries of the log',
    description: 'Of each entry its length, 32, in two bytes, and then the `hash` of the event.',
    by: 'verify',
    parameters: [index],
    replies: { 200: bytes('256 entries, or as many as were asked for') },
    handle: getEntries,
  },
  {
    id: 'getLogTile',
    method: 'get',
    path: '/v1/log/tile/:level/*index',
    summary: 'A tile of the Merkle tree of the log',
    by: 'verify',
    parameters: [level, index],
    replies: { 200: bytes('256 hashes, or as many as were asked for') },
    handle: getTile,
  },
];

function getEntries({ database }: LogRouteDeps): RequestHandler {
  const sql = pgSql(database.pool);
  return async (request, response) => {
    const named = tileName(request);
    const entries = named && (await readBundle(sql, tenantOf(response).id, named));
    send(response, entries && withLengths(entries));
  };
}

function getTile({ database }: LogRouteDeps): RequestHandler {
  const sql = pgSql(database.pool);
  return async (request, response) => {
    const named = tileName(request);
    const level = parseLevel(String(request.params.level));
    const isNamed = named !== undefined && level !== undefined;
    send(response, isNamed ? await readTile(sql, tenantOf(response).id, { level, ...named }) : undefined);
  };
}

/** Beyond so many entries no log comes, and numbers of PostgreSQL end. */
const mostTiles = 2 ** 45;

function tileName(request: Request) {
  const named = parseTileName(([] as string[]).concat(request.params.index ?? []));
  return named && named.index < mostTiles ? named : undefined;
}

function withLengths(entries: Buffer): Buffer {
  const bundle = Buffer.alloc((entries.length / hashBytes) * (2 + hashBytes));
  for (let at = 0, to = 0; at < entries.length; at += hashBytes, to += 2 + hashBytes) {
    bundle.writeUInt16BE(hashBytes, to);
    bundle.set(entries.subarray(at, at + hashBytes), to + 2);
  }
  return bundle;
}

function send(response: Response, found: Buffer | undefined): void {
  if (!found) throw notFound('tile');
  response.type('application/octet-stream').send(found);
}
