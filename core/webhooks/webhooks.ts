import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { matchesGlob } from '../glob.ts';
import { storable } from '../json/storable.ts';
import { unknownName } from '../nearest-name.ts';
import { strictObject } from '../strict-object.ts';

/** What a webhook can be told of. A ping is only ever asked for by hand. */
export const webhookEventTypes = [
  'export.completed',
  'export.failed',
  'export.canceled',
  'export.expired',
  'erasure.completed',
  'ping',
] as const;

export const webhookStatuses = ['enabled', 'disabled'] as const;

const seconds = 1000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

/** Waits before each attempt in ms; the example of the Standard Webhooks specification: 76 hours in all. */
export const attemptDelaysMs: readonly number[] = [
  0,
  5 * seconds,
  5 * minutes,
  30 * minutes,
  2 * hours,
  5 * hours,
  10 * hours,
  14 * hours,
  20 * hours,
  24 * hours,
];

/** How many attempts a message gets in one round. */
export const attemptsOf = (type: string): number => (type === 'ping' ? 1 : attemptDelaysMs.length);

/** Each wait is longer by up to this share, so that an outage does not end with all messages in the same second. */
const jitter = 0.1;

/** The longest wait that a receiver's Retry-After can ask for. */
export const longestRetryAfterMs = 24 * hours;

/**
 * The wait in ms before the next attempt, or undefined when the round is over.
 *
 * Retry-After moves an attempt back, never forward: a proxy that says "5 seconds" all through an outage would otherwise
 * use up all attempts in a minute.
 * @param tries attempts made in this round
 */
export function nextDelayMs(type: string, tries: number, retryAfterMs = 0, random = Math.random): number | undefined {
  if (tries >= attemptsOf(type)) return undefined;
  const least = Math.max(attemptDelaysMs[tries]!, Math.min(retryAfterMs, longestRetryAfterMs));
  return Math.round(least * (1 + jitter * random()));
}

/** A new secret in the form of Standard Webhooks: 32 random bytes. */
export const newWebhookSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

const base64 = '[A-Za-z0-9+/]';
const lastByte = `${base64}[AQgw]==`;
/** Base64 whose unused bits are zero (RFC 4648 section 3.5): what else Node's decoder takes, a receiver's would not. */
const secretPattern = new RegExp(
  `^whsec_(?:(?:${base64}{4}){8,20}(?:${base64}{4}|${base64}{2}[AEIMQUYcgkosw048]=|${lastByte})?` +
    `|(?:${base64}{4}){21}${lastByte})$`,
);

/** A secret that the client brings: `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks wants it. */
export const webhookSecretSchema = z
  .string({ error: 'must be text' })
  .regex(secretPattern, 'must be "whsec_" followed by 24 to 64 random bytes in base64')
  .meta({ description: '24 to 64 random bytes in base64' });

const eventPattern = z
  .string({ error: 'must be an event type or a pattern, as text' })
  .superRefine((text, context) => {
    if (webhookEventTypes.some((type) => matchesGlob(text, type))) return;
    context.addIssue({
      code: 'custom',
      message: unknownName('event type', text, [...webhookEventTypes, 'export.*', '*']),
    });
  })
  .meta({
    anyOf: [{ enum: webhookEventTypes }, { pattern: '^[a-z.]*\\*[a-z.*]*$' }],
    description: 'A type, or a pattern of some, in which `*` stands for any text',
  });

/** The address itself is checked apart (core/webhooks/webhook-address.ts), as that takes a look-up. */
export const webhookUrlSchema = z
  .string({ error: 'must be a URL, as text' })
  .max(2048, 'must have at most 2048 characters')
  .meta({ format: 'uri', description: 'https, to a public address; no user name, password or fragment' });

const members = {
  url: webhookUrlSchema,
  events: z
    .array(eventPattern, { error: 'must be a list of event types, such as ["export.*"]' })
    .min(1, 'must name at least one event type; leave it out for all')
    .max(20, 'must have at most 20 entries'),
  description: storable(
    z.string({ error: 'must be text or null' }).max(500, 'must have at most 500 characters'),
  ).nullable(),
  include_download_url: z.boolean({ error: 'must be true or false' }),
};

/** What POST /v1/webhooks takes. The URL's address is checked apart (core/webhooks/webhook-address.ts), as that takes a look-up. */
export const webhookRequestSchema = strictObject({
  url: members.url,
  events: members.events.default(['*']),
  description: members.description.default(null),
  include_download_url: members.include_download_url.default(true),
});
export type WebhookRequest = z.output<typeof webhookRequestSchema>;

/** What PATCH /v1/webhooks/:id takes: what is left out stays. */
export const webhookPatchSchema = strictObject({
  url: members.url.optional(),
  events: members.events.optional(),
  description: members.description.optional(),
  include_download_url: members.include_download_url.optional(),
  status: z
    .enum(webhookStatuses, {
      error: ({ input }) =>
        typeof input === 'string'
          ? unknownName('status', input, webhookStatuses)
          : `must be one of ${webhookStatuses.join(', ')}`,
    })
    .optional(),
});
export type WebhookPatch = z.output<typeof webhookPatchSchema>;
