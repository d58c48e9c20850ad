import { z } from 'zod';
import { timestamp, uuid } from './reply-parts.ts';

/** A key that signs, as the public key set has it (RFC 7517, RFC 8037, RFC 9864). */
export const signingKeySchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  alg: z.literal('Ed25519'),
  use: z.literal('sig'),
  kid: z.string().meta({ description: 'The thumbprint by RFC 7638' }),
  x: z.string().meta({ description: 'The public key, 32 bytes in base64url' }),
  logferry_valid_from: timestamp,
  logferry_valid_until: timestamp.nullable().meta({ description: 'When it ended to sign; null while it is active' }),
});
export type SigningKeyReply = z.output<typeof signingKeySchema>;

export const signingKeySetSchema = z.object({
  keys: z.array(signingKeySchema).meta({ description: 'The active one first' }),
});

/** What POST /v1/tenants/:id/log/restart answers. */
export const restartedLogSchema = z.object({
  tenant_id: uuid,
  origin: z.string().meta({ description: 'Of the log from now on' }),
  previous_origin: z.string().nullable().meta({ description: 'Null if no checkpoint of it was ever shown' }),
});
export type RestartedLogReply = z.output<typeof restartedLogSchema>;
