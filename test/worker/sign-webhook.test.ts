import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { newWebhookSecret } from '../../core/webhooks/webhooks.ts';
import { signWebhook } from '../../worker/sign-webhook.ts';

/** A message that verifies; each test spoils one thing of it. */
function signed(body = '{"type":"ping"}', secrets = [newWebhookSecret()]) {
  const timestamp = new Date();
  return { secrets, timestamp, body, headers: signWebhook({ id: 'msg_1', timestamp, body }, secrets) };
}

const verifies = (body: string, headers: Record<string, string>, secret: string) => {
  try {
    new Webhook(secret).verify(body, headers, { jsonParse: false });
    return true;
  } catch {
    return false;
  }
};

test('signs any body so that the official library verifies it', () => {
  const secretBytes = fc.uint8Array({ minLength: 24, maxLength: 64 });
  const id = fc.uuid();
  fc.assert(
    fc.property(id, fc.string({ unit: 'binary' }), secretBytes, (id, body, bytes) => {
      const secret = `whsec_${Buffer.from(bytes).toString('base64')}`;
      const headers = signWebhook({ id, timestamp: new Date(), body }, [secret]);
      expect(verifies(body, headers, secret)).toBe(true);
    }),
  );
});

test('signs with each of two secrets, so that either verifies', () => {
  const { body, headers, secrets } = signed('{}', [newWebhookSecret(), newWebhookSecret()]);
  expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
  for (const secret of secrets) expect(verifies(body, headers, secret)).toBe(true);
});

test('states the time in whole seconds', () => {
  const { headers, timestamp } = signed();
  expect(headers['webhook-timestamp']).toBe(String(Math.floor(timestamp.getTime() / 1000)));
});

test('does not verify with another secret', () => {
  const { body, headers } = signed();
  expect(verifies(body, headers, newWebhookSecret())).toBe(false);
});

test('does not verify with another body', () => {
  const { body, headers, secrets } = signed();
  expect(verifies(`${body} `, headers, secrets[0]!)).toBe(false);
});

test('does not verify with another id', () => {
  const { body, headers, secrets } = signed();
  expect(verifies(body, { ...headers, 'webhook-id': 'msg_2' }, secrets[0]!)).toBe(false);
});

test('does not verify with another time', () => {
  const { body, headers, secrets, timestamp } = signed();
  const later = String(Math.floor(timestamp.getTime() / 1000) + 1);
  expect(verifies(body, { ...headers, 'webhook-timestamp': later }, secrets[0]!)).toBe(false);
});
