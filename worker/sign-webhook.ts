import { Webhook } from 'standardwebhooks';

/** One attempt to tell something: the same id over all attempts, the time of this one, the body as it is sent. */
export type Message = { id: string; timestamp: Date; body: string };

/**
 * The headers by which a receiver knows the message for ours (Standard Webhooks). Each secret signs, in the order given:
 * while a secret is being replaced the receiver may hold either.
 *
 * `body` must be the text that goes over the wire: a receiver checks bytes, not JSON.
 */
export function signWebhook(message: Message, secrets: readonly string[]): Record<string, string> {
  const { id, timestamp, body } = message;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, timestamp, body)).join(' '),
  };
}
