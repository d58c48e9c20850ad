import { expect, test } from 'vitest';
import { matchesGlob } from '../../../core/glob.ts';
import {
  attemptDelaysMs,
  newWebhookSecret,
  nextDelayMs,
  webhookPatchSchema,
  webhookRequestSchema,
  webhookSecretSchema,
} from '../../../core/webhooks/webhooks.ts';

const hour = 3_600_000;

const messagesOf = (value: unknown, schema: typeof webhookRequestSchema | typeof webhookPatchSchema) =>
  schema.safeParse(value).error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? [];

test.each([
  ['*', 'export.completed', true],
  ['export.*', 'export.failed', true],
  ['export.*', 'ping', false],
  ['*.completed', 'export.completed', true],
  ['e*t.*d', 'export.expired', true],
  ['export.completed', 'export.completed', true],
  ['export.complete', 'export.completed', false],
  ['export.completed*', 'export.completed', true],
  ['completed', 'export.completed', false],
  ['exp*port.*', 'export.failed', false],
  ['**', 'ping', true],
])('the pattern %s against %s: %s', (pattern, type, matches) => {
  expect(matchesGlob(pattern, type)).toBe(matches);
});

test('waits by the schedule, and up to a tenth longer', () => {
  const none = () => 0;
  const waits = attemptDelaysMs.map((_, tries) => nextDelayMs('export.completed', tries + 1, 0, none));
  expect(waits).toEqual([
    5_000,
    300_000,
    0.5 * hour,
    2 * hour,
    5 * hour,
    10 * hour,
    14 * hour,
    20 * hour,
    24 * hour,
    undefined,
  ]);
  expect(nextDelayMs('export.completed', 1, 0, () => 1)).toBe(5_500);
});

test('waits as long as Retry-After asks, never shorter than the schedule, at most a day', () => {
  const none = () => 0;
  expect(nextDelayMs('export.failed', 1, 120_000, none)).toBe(120_000);
  expect(nextDelayMs('export.failed', 5, 1_000, none)).toBe(5 * hour);
  expect(nextDelayMs('export.failed', 1, 900 * hour, none)).toBe(24 * hour);
});

test('tries a ping once', () => {
  expect(nextDelayMs('ping', 1)).toBeUndefined();
});

test('makes secrets that it takes itself', () => {
  expect(webhookSecretSchema.safeParse(newWebhookSecret()).success).toBe(true);
  expect(newWebhookSecret()).not.toBe(newWebhookSecret());
});

test.each([
  ['no prefix', Buffer.alloc(32).toString('base64')],
  ['23 bytes', `whsec_${Buffer.alloc(23).toString('base64')}`],
  ['65 bytes', `whsec_${Buffer.alloc(65).toString('base64')}`],
  ['characters that are not base64', `whsec_${'!'.repeat(44)}`],
  ['base64url', `whsec_${Buffer.alloc(32, 0xff).toString('base64url')}`],
  ['nothing', 'whsec_'],
])('refuses a secret of %s', (_what, secret) => {
  expect(webhookSecretSchema.safeParse(secret).success).toBe(false);
});

test('takes secrets of 24 and of 64 bytes', () => {
  for (const bytes of [24, 64]) {
    expect(webhookSecretSchema.safeParse(`whsec_${Buffer.alloc(bytes, 7).toString('base64')}`).success).toBe(true);
  }
});

test('completes a request with all events and the link', () => {
  expect(webhookRequestSchema.parse({ url: 'https://example.com' })).toEqual({
    url: 'https://example.com',
    events: ['*'],
    description: null,
    include_download_url: true,
  });
});

test('leaves out of a patch what it does not name', () => {
  expect(webhookPatchSchema.parse({ description: null })).toEqual({ description: null });
});

test('names the nearest member, event type and status', () => {
  expect(messagesOf({ url: 'https://example.com', event: [] }, webhookRequestSchema)[0]).toContain('"events"');
  expect(messagesOf({ url: 'https://example.com', events: ['export.complete'] }, webhookRequestSchema)[0]).toMatch(
    /^events\.0: .*did you mean "export\.completed"/,
  );
  expect(messagesOf({ status: 'enable' }, webhookPatchSchema)[0]).toContain('"enabled"');
});

test.each([
  ['no url', {}],
  ['no events', { url: 'https://example.com', events: [] }],
  ['a pattern that nothing matches', { url: 'https://example.com', events: ['user.*'] }],
  ['a NUL in the description', { url: 'https://example.com', description: 'a\0b' }],
  ['a text for a boolean', { url: 'https://example.com', include_download_url: 'no' }],
  ['a list', []],
])('refuses %s', (_what, request) => {
  expect(messagesOf(request, webhookRequestSchema)).not.toEqual([]);
});
