import type { RequestHandler } from 'express';
import { notFound } from '../../../core/errors.ts';
import { verifierKey } from '../../../core/evidence/signed-note.ts';
import { pgSql } from '../../../prisma/client.ts';
import { findEvent } from '../../../prisma/events/list.ts';
import { showCheckpoint } from '../../../prisma/log/checkpoints.ts';
import { findOrigin } from '../../../prisma/log/examine-log.ts';
import { proveEvent } from '../../../prisma/log/proofs.ts';
import { listSigningKeys } from '../../../prisma/log/signing-keys.ts';
import { tenantOf } from '../../access/tenant-route.ts';
import { uuidOf } from '../../http/path-id.ts';
import { checkpointExample, proofExample, verifierKeyExample } from '../../openapi/log-examples.ts';
import { idOf } from '../../openapi/parameters.ts';
import type { Route } from '../../route.ts';
import { type LogRouteDeps, logSlots, textReply } from './log-deps.ts';

/** What is signed of a log, and by which keys. */
export const checkpointRoutes: readonly Route<LogRouteDeps>[] = [
  {
    id: 'getCheckpoint',
    method: 'get',
    path: '/v1/log/checkpoint',
    summary: 'The signed checkpoint of the log',
    description: 'By c2sp.org/tlog-checkpoint. It covers every event whose writing was answered before the request.',
    by: 'verify',
    replies: { 200: textReply('A signed note', checkpointExample) },
    handle: getCheckpoint,
  },
  {
    id: 'getLogKey',
    method: 'get',
    path: '/v1/log/key',
    summary: 'The keys by which checkpoints of the log are verified',
    description: 'Verifier keys by c2sp.org/signed-note, one a line, the active one first.',
    by: 'verify',
    replies: { 200: textReply('The keys', verifierKeyExample) },
    handle: getKey,
  },
  {
    id: 'getEventProof',
    method: 'get',
    path: '/v1/events/:id/proof',
    summary: 'The proof that an event is in the log',
    description:
      'By c2sp.org/tlog-proof, with a checkpoint of now; the entry is the 32 bytes of the `hash` of the event.',
    by: 'verify',
    parameters: [idOf('event')],
    replies: { 200: textReply('The proof', proofExample) },
    handle: getProof,
  },
];

function getCheckpoint(deps: LogRouteDeps): RequestHandler {
  const inSlot = logSlots();
  return async (_request, response) => {
    const { id } = tenantOf(response);
    const { note } = await inSlot(id, () => showCheckpoint(deps, id));
    response.type('text/plain').send(note);
  };
}

function getKey(deps: LogRouteDeps): RequestHandler {
  const { database, secretKey } = deps;
  return async (_request, response) => {
    const origin = await findOrigin(deps, tenantOf(response).id);
    const keys = await listSigningKeys({ prisma: database.prisma, secretKey });
    response.type('text/plain').send(keys.map((key) => `${verifierKey(origin, key)}\n`).join(''));
  };
}

function getProof(deps: LogRouteDeps): RequestHandler {
  const inSlot = logSlots();
  const sql = pgSql(deps.database.pool);
  return async (request, response) => {
    const { id } = tenantOf(response);
    const event = await findEvent(sql, id, uuidOf(request, 'event'));
    if (!event) throw notFound('event');
    const proof = await inSlot(id, () => proveEvent(deps, id, event.sequenceNumber));
    response.type('text/plain').send(proof);
  };
}
