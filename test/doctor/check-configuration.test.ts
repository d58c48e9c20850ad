import { describe, expect, it } from 'vitest';
import { readConfig } from '../../core/config.ts';
import { checkConfiguration } from '../../doctor/check-configuration.ts';

/** What is warned of; the key and the address that every other finding would distract from are there. */
async function warned(environment: Record<string, string>): Promise<string> {
  const config = readConfig({ LOGFERRY_EXPORT_CONCURRENCY: '1', ...environment });
  const findings = await checkConfiguration(config, config.LOGFERRY_SECRET_KEY !== undefined);
  return findings.flatMap(({ level, text }) => (level === 'ok' ? [] : [text])).join('\n');
}

const spread = {
  DATABASE_URL: 'postgresql://db.example.com/logferry',
  PUBLIC_URL: 'https://logs.example.com',
  STORAGE_URL: 's3://files',
  LOGFERRY_SECRET_KEY: Buffer.alloc(32).toString('base64'),
};

describe('The check of the configuration', () => {
  it('has nothing to say where nothing is set, nor of a deployment that is set up well', async () => {
    expect(await warned({})).toBe('');
    expect(await warned(spread)).toBe('');
    expect(await warned({ PUBLIC_URL: 'http://logferry.internal', HOST: '0.0.0.0' })).toBe('');
  });

  it.each([
    ['links in the clear', { ...spread, PUBLIC_URL: 'http://logs.example.com' }, /would be sent unencrypted/],
    [
      'links to no address',
      { HOST: '0.0.0.0' },
      /point to http:\/\/0\.0\.0\.0:3000, which is not an address that clients can use/,
    ],
    ['links to this machine alone', { ...spread, PUBLIC_URL: '' }, /works on this machine only/],
    [
      'links to this machine, by its host',
      { HOST: '0.0.0.0', PUBLIC_URL: 'http://localhost:3000' },
      /this machine only/,
    ],
    [
      'a region that is elsewhere',
      { ...spread, LOGFERRY_REGIONS: '{"eu": "https://other.example.com"}' },
      /LOGFERRY_REGIONS has https:\/\/other\.example\.com for this region \(eu\)/,
    ],
    ['files beside a database elsewhere', { ...spread, STORAGE_URL: 'file:///srv/files' }, /kept in a directory/],
    ['downloads from an inner host', { ...spread, S3_ENDPOINT: 'http://minio:9000' }, /point to http:\/\/minio:9000/],
    [
      'a missing secret key',
      { ...spread, LOGFERRY_SECRET_KEY: '' },
      /LOGFERRY_SECRET_KEY is not set: .* refuse to start/,
    ],
    ['a management key that is short', { LOGFERRY_ADMIN_KEY: 'short' }, /has 5 characters/],
    ['no rate limit', { LOGFERRY_RATE_LIMIT: '0' }, /keys may be guessed/],
    ['webhooks to credentials', { LOGFERRY_WEBHOOK_ALLOW: '0.0.0.0/0' }, /opens 169\.254\.169\.254/],
    ['too little memory', { LOGFERRY_EXPORT_CONCURRENCY: '256' }, /^(256 exports at a time|$)/],
  ])('warns of %s', async (_what, environment, text) => {
    expect(await warned(environment as Record<string, string>)).toMatch(text);
  });

  it('lets inner addresses be opened for webhooks, and inner storage be where clients reach it', async () => {
    expect(await warned({ LOGFERRY_WEBHOOK_ALLOW: '10.0.0.0/8, 127.0.0.0/8' })).toBe('');
    const endpoints = { S3_ENDPOINT: 'http://minio:9000', S3_PUBLIC_ENDPOINT: 'https://files.example.com' };
    expect(await warned({ ...spread, ...endpoints })).toBe('');
  });
});
