import type { RequestHandler } from 'express';
import { jwkOf } from '../../core/evidence/signing-key.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import { formatTimestamp } from '../../core/times.ts';
import type { Database } from '../../prisma/client.ts';
import { type ListedSigningKey, listSigningKeys, rotateSigningKey } from '../../prisma/log/signing-keys.ts';
import { auditContext } from '../access/tenant-route.ts';
import { reply } from '../openapi/described.ts';
import { signingKeyExample } from '../openapi/log-examples.ts';
import type { SigningKeyReply } from '../openapi/schemas/log.ts';
import type { Route } from '../route.ts';

type Deps = { database: Database; secretKey: SecretKey };

/** The keys that sign checkpoints and receipts. */
export const signingKeyRoutes: readonly Route<Deps>[] = [
  {
    id: 'listSigningKeys',
    method: 'get',
    path: '/.well-known/logferry-keys.json',
    summary: 'The public keys by which checkpoints and receipts are verified',
    description:
      'A JSON Web Key Set (RFC 7517). Keys that sign no more stay in it: what they have signed is still good.',
    by: 'anybody',
    replies: { 200: reply('All keys', { schema: 'SigningKeySet', example: { keys: [signingKeyExample] } }) },
    handle: getKeys,
  },
  {
    id: 'rotateSigningKey',
    method: 'post',
    path: '/v1/signing-keys/rotate',
    summary: 'Make a new key that signs from now on',
    by: 'management',
    replies: { 201: reply('The new key', { schema: 'SigningKey', example: signingKeyExample }) },
    handle: postRotation,
  },
];

function getKeys({ database: { prisma }, secretKey }: Deps): RequestHandler {
  return async (_request, response) => {
    const keys = await listSigningKeys({ prisma, secretKey });
    response.json({ keys: keys.map(presentKey) });
  };
}

function postRotation({ database: { prisma }, secretKey }: Deps): RequestHandler {
  return async (request, response) => {
    const key = await rotateSigningKey({ prisma, secretKey }, auditContext(request, response));
    response.status(201).json(presentKey(key));
  };
}

const presentKey = (key: ListedSigningKey): SigningKeyReply => ({
  ...jwkOf(key),
  logferry_valid_from: formatTimestamp(key.validFrom),
  logferry_valid_until: key.validUntil && formatTimestamp(key.validUntil),
});
