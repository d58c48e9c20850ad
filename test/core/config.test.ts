import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../core/config.ts';

const mistakes = (environment: Record<string, string>): string[] => {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
};

describe('readConfig', () => {
  it('needs nothing to be set', () => {
    const config = readConfig({});
    expect(config.publicUrl).toBe('http://127.0.0.1:3000');
    expect(config.storageUrl).toMatch(/^file:\/\/.*\/\.data\/files$/);
    expect(config).toMatchObject({
      LOGFERRY_RATE_LIMIT: 1000,
      DOWNLOAD_URL_TTL: 900,
      EXPORT_TTL: 604_800,
      LOGFERRY_DEFAULT_PLAN: 'pro',
    });
    expect(config.DATABASE_URL).toBeUndefined();
  });

  it('takes an empty variable for one that is not set', () => {
    expect(readConfig({ PORT: '', PUBLIC_URL: '' }).PORT).toBe(3000);
  });

  it('makes links without a double slash, and with brackets around an IPv6 address', () => {
    expect(readConfig({ PUBLIC_URL: 'https://logs.example.com/' }).publicUrl).toBe('https://logs.example.com');
    const regions = readConfig({ LOGFERRY_REGIONS: '{"us": "https://us.example.com/"}' }).LOGFERRY_REGIONS;
    expect(regions).toEqual({ us: 'https://us.example.com' });
    expect(readConfig({ HOST: '::1' }).publicUrl).toBe('http://[::1]:3000');
  });

  it('tells all mistakes at once, one a line', () => {
    const lines = mistakes({ PORT: 'x', S3_FORCE_PATH_STYLE: 'yes', LOGFERRY_REGIONS: '{', EXPORT_TTL: '5' });
    expect(lines).toHaveLength(4);
    expect(lines.join('\n')).toMatch(/PORT must be a whole number, not "x"/);
    expect(lines.join('\n')).toMatch(/S3_FORCE_PATH_STYLE must be true, false, 1 or 0/);
    expect(lines.join('\n')).toMatch(/EXPORT_TTL must be from 60 to 7776000/);
  });

  it('names the variable that was probably meant', () => {
    expect(mistakes({ LOGFERRY_REGON: 'eu' })).toEqual([
      'LOGFERRY_REGON is not a variable of Logferry; did you mean LOGFERRY_REGION?',
    ]);
    expect(mistakes({ LOGFERRY_NOTHING_LIKE_IT: '1' })).toEqual([
      'LOGFERRY_NOTHING_LIKE_IT is not a variable of Logferry',
    ]);
  });

  it.each([
    ['S3_ENDPIONT', 'S3_ENDPOINT'],
    ['EXPORT_TLL', 'EXPORT_TTL'],
    ['LOGFERRY_EXPORT_TTL', 'EXPORT_TTL'],
    ['EXPORT_CONCURRENCY', 'LOGFERRY_EXPORT_CONCURRENCY'],
    ['JWT_ISSUERS', 'JWT_ISSUER'],
    ['WORKER_PROT', 'WORKER_PORT'],
  ])('takes %s for a misspelling of %s', (name, near) => {
    expect(mistakes({ [name]: '1' })).toEqual([`${name} is not a variable of Logferry; did you mean ${near}?`]);
  });

  it('leaves variables of other programs alone, also where they begin like ours', () => {
    expect(
      mistakes({ S3_BUCKET: 'x', WORKER_COUNT: '3', JWT_ALGORITHM: 'x', DATABASE_POOL: '4', HOSTNAME: 'h' }),
    ).toEqual([]);
    expect(mistakes({ DATABASE_URL: 'postgresql://h/d', DATABASE_URI: 'postgresql://h/d' })).toEqual([]);
  });

  it.each(['postgresql://u:pa#ss@h/d', 'postgresql://u:pa/ss@h/d', 'postgres://u:1#2@h/d', 'redis://:a?b@h:6379'])(
    'says of %s that the password must be percent-encoded, and does not repeat it',
    (url) => {
      const name = url.startsWith('redis') ? 'QUEUE_URL' : 'DATABASE_URL';
      expect(mistakes({ [name]: url })).toEqual([
        expect.stringMatching(new RegExp(`^${name} cannot be read as a URL: percent-encode special characters`)),
      ]);
    },
  );

  it('takes localhost for the loopback addresses that webhooks may reach', () => {
    const { LOGFERRY_WEBHOOK_ALLOW } = readConfig({ LOGFERRY_WEBHOOK_ALLOW: 'localhost, 10.0.0.0/8' });
    expect(LOGFERRY_WEBHOOK_ALLOW).toEqual(['127.0.0.0/8', '::1/128', '10.0.0.0/8']);
  });

  it.each([
    ['JWT_JWKS_URL', 'http://login.example.com/jwks.json', 'must be https'],
    ['JWT_JWKS_URL', 'http://127.0.0.1.example.com/jwks.json', 'must be https'],
    ['JWT_SECRET', 'short', 'at least 32 characters'],
    ['JWT_SECRET', generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'PEM'],
    ['JWT_PUBLIC_KEY', 'not a key', 'must be a public key'],
    ['LOGFERRY_TRUST_PROXY', 'true', 'must be CIDRs'],
    ['LOGFERRY_TRUST_PROXY', '1,2', 'must be CIDRs'],
    ['LOGFERRY_TRUST_PROXY', '0', 'must be CIDRs'],
    ['CORS_ORIGINS', 'https://app.example.com/', 'without a path'],
    ['CORS_ORIGINS', 'app.example.com', 'without a path'],
    ['CORS_ORIGINS', '*,https://app.example.com', 'must be * or origins'],
    ['LOGFERRY_PLAN_LIMITS', '{"gold": {}}', 'must be JSON such as'],
    ['LOGFERRY_PLAN_LIMITS', '{"pro": {"exports": 1}}', 'must be JSON such as'],
    ['LOGFERRY_PLAN_LIMITS', '{"pro": {"unfinished_exports": -1}}', 'must be JSON such as'],
    ['JWT_PERMISSIONS', '{"a": ["events:raed"]}', 'must be JSON such as'],
  ])('refuses %s=%j', (name, value, message) => {
    expect(mistakes({ [name]: value })).toEqual([expect.stringContaining(message)]);
  });

  it.each(['https://login.example.com/jwks', 'http://localhost:1/a', 'http://127.0.0.1:1/a', 'http://[::1]:1/a'])(
    'takes keys from %s',
    (url) => expect(readConfig({ JWT_JWKS_URL: url }).JWT_JWKS_URL).toBe(url),
  );

  it('takes proxies by their addresses or by their number', () => {
    expect(readConfig({ LOGFERRY_TRUST_PROXY: '10.0.0.0/8, ::1' }).LOGFERRY_TRUST_PROXY).toEqual(['10.0.0.0/8', '::1']);
    expect(readConfig({ LOGFERRY_TRUST_PROXY: '2' }).LOGFERRY_TRUST_PROXY).toBe(2);
    expect(readConfig({}).LOGFERRY_TRUST_PROXY).toEqual([]);
  });

  it("wants one way to verify users' tokens", () => {
    const two = { JWT_SECRET: 'x'.repeat(32), JWT_JWKS_URL: 'https://login.example.com' };
    expect(mistakes(two)).toEqual([expect.stringContaining('JWT_JWKS_URL, JWT_PUBLIC_KEY, JWT_SECRET')]);
  });

  it('never repeats a private key that was set as the public one', () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(mistakes({ JWT_PUBLIC_KEY: pem })).toEqual([expect.stringContaining('private key')]);
    expect(mistakes({ JWT_PUBLIC_KEY: pem }).join()).not.toContain(pem.split('\n')[1]);
  });

  it('never repeats a secret', () => {
    const secret = randomBytes(6).toString('hex');
    expect(
      mistakes({
        LOGFERRY_ADMIN_KEY: `${secret} with a space`,
        LOGFERRY_SECRET_KEY: secret,
        DATABASE_URL: `mysql://${secret}`,
      }),
    ).toHaveLength(3);
    expect(
      mistakes({
        LOGFERRY_ADMIN_KEY: `${secret} with a space`,
        LOGFERRY_SECRET_KEY: secret,
        DATABASE_URL: `mysql://${secret}`,
      }).join(),
    ).not.toContain(secret);
  });

  it('reads a former name of a variable, with a warning, unless the present one is set as well', () => {
    const config = readConfig({ LOGFERRY_TURN_SECONDS: '7', LOGFERRY_PARTS_MIB: '32' });
    expect(config).toMatchObject({ LOGFERRY_YIELD_SECONDS: 7, LOGFERRY_IN_FLIGHT_MIB: 32 });
    expect(config.warnings).toEqual([
      expect.stringContaining('LOGFERRY_TURN_SECONDS is now LOGFERRY_YIELD_SECONDS'),
      expect.stringContaining('LOGFERRY_PARTS_MIB is now LOGFERRY_IN_FLIGHT_MIB'),
    ]);
    expect(mistakes({ LOGFERRY_TURN_SECONDS: '7', LOGFERRY_YIELD_SECONDS: '8' })).toEqual([
      expect.stringContaining('set one of the two'),
    ]);
    expect(readConfig({ LOGFERRY_YIELD_SECONDS: '8' }).warnings).toEqual([]);
  });
});
