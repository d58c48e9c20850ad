import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeApiKey } from '../../core/access/api-keys.ts';
import { withoutSecrets } from '../../core/secrets-in-text.ts';
import { signPath } from '../../core/storage/file/signed-path.ts';
import { newWebhookSecret } from '../../core/webhooks/webhooks.ts';

const word = () => randomBytes(9).toString('hex');

describe('A text without secrets', () => {
  it.each([
    [
      'a password of PostgreSQL',
      (secret: string) => `connect postgresql://logferry:${secret}@db.example.com:5432/x failed`,
    ],
    ['a password of Redis without a user', (secret: string) => `redis://:${secret}@127.0.0.1:6379/0`],
    ['a password with a colon', (secret: string) => `rediss://default:a:${secret}@cache`],
    [
      'the signature of S3',
      (secret: string) => `https://b.s3/k?X-Amz-Expires=900&X-Amz-Signature=${secret}&x-id=GetObject`,
    ],
    ['the session of S3', (secret: string) => `https://b.s3/k?X-Amz-Security-Token=${secret}%2F%3D`],
    ['a Bearer token', (secret: string) => `authorization: Bearer ${secret}.${secret}`],
    ['a password of HTTP Basic', (secret: string) => `Basic ${Buffer.from(`a:${secret}`).toString('base64')}`],
    ['a token in a query', (secret: string) => `GET /callback?a=1&token=${secret}`],
  ])('has put out %s, in any case of its letters, and leaves the rest', (_what, textWith) => {
    const secret = word();
    const clean = withoutSecrets(textWith(secret));
    expect(clean).not.toContain(secret);
    expect(clean).not.toContain(Buffer.from(`a:${secret}`).toString('base64'));
    expect(clean).toContain('[redacted]');
    expect(clean.replace('[redacted]', '').length).toBeGreaterThan(5);
  });

  it('has put out what we make: keys, secrets of webhooks, and the signatures of our links', () => {
    const link = signPath(randomBytes(32), {
      key: 'exports/a',
      expires: 1,
      contentType: 'text/csv',
      contentDisposition: 'attachment',
    });
    const signature = new URL(link, 'http://localhost').searchParams.get('signature')!;
    const made = [makeApiKey('tenant'), makeApiKey('management'), newWebhookSecret(), link];
    const clean = withoutSecrets(made.join(' '));
    expect(clean).not.toContain(signature);
    expect(clean).toMatch(/^lf_sk_\[redacted\] lf_admin_\[redacted\] whsec_\[redacted\] \/files\/exports\/a\?/);
  });

  it('leaves lines alone that hold none', () => {
    const line =
      '{"level":30,"request_id":"0197b1e4-7c1a-7000-8000-000000000000","path":"/v1/exports/a:b@c","url":"https://example.com/a?b=c"}';
    expect(withoutSecrets(line)).toBe(line);
  });

  it('leaves JSON readable, whatever stands in it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ unit: 'binary' })), fc.webUrl(), (values, url) => {
        const line = JSON.stringify({
          ...values,
          url: `${url}?signature=abc`,
          text: `redis://a:b@c "Bearer 12345678" \\`,
        });
        const read = JSON.parse(withoutSecrets(line));
        expect(read.text).toBe('redis://a:[redacted]@c "Bearer [redacted]" \\');
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    'a.'.repeat(40_000),
    'aa://'.repeat(16_000),
    'aa://b:'.repeat(10_000),
    '&key='.repeat(16_000),
    'a'.repeat(80_000),
  ])('takes no time for a long text: %#', (text) => {
    const start = performance.now();
    withoutSecrets(text);
    expect(performance.now() - start).toBeLessThan(500);
  });
});
