import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { scopes } from './access/api-keys.ts';
import { readPublicKey } from './access/public-key.ts';
import { isKeyName } from './evidence/signed-note.ts';
import { planLimitsSchema } from './exports/plan-limits.ts';
import { nearestName } from './nearest-name.ts';
import { plans } from './tenants.ts';
import { isRange, loopbackRanges } from './webhooks/webhook-address.ts';

const url = (protocols: string[]) =>
  z.string().superRefine((text, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    if (!protocols.includes(/^[a-z][a-z0-9+.-]*:(?=\/\/)/i.exec(text)?.[0].toLowerCase() ?? '')) {
      refuse(`must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`);
    } else if (!URL.canParse(text) || isCutShort(new URL(text))) {
      refuse(
        'cannot be read as a URL: percent-encode special characters in the user name and the password (# is %23, / is %2F, @ is %40, ? is %3F)',
      );
    }
  });

/** A "#", "/" or "?" in a password ends what is before the host, and the rest of it stands in the path or behind it. */
const isCutShort = ({ pathname, search, hash }: URL): boolean => /@/.test(pathname + hash) || /^\?[^=&]*@/.test(search);
const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .refine((n) => n >= min && n <= max, { error: `must be from ${min} to ${max}` });
const boolean = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true, false, 1 or 0' })
  .transform((text) => text === 'true' || text === '1');
const json = <T extends z.ZodType>(schema: T, example: string) =>
  z.string().transform((text, context) => {
    const parsed = schema.safeParse(tryJson(text));
    if (parsed.success) return parsed.data as z.output<T>;
    context.addIssue({ code: 'custom', message: `must be JSON such as ${example}` });
    return z.NEVER;
  });
const list = z.string().transform((text) => text.split(/[\s,]+/).filter(Boolean));

/** Paths are put behind it. */
const withoutEndSlash = (text: string): string => text.replace(/\/+$/, '');

const publicKey = z.string().superRefine((text, context) => {
  const read = readPublicKey(text);
  if ('mistake' in read) context.addIssue({ code: 'custom', message: read.mistake });
});

/** RFC 6761 section 6.3 has names below localhost, too. */
const isLoopback = (host: string): boolean => /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(host);

/** Addresses and CIDRs, or how many proxies there are, one behind the other. */
const proxies = list.transform((entries, context): number | string[] => {
  if (entries.length === 1 && /^[1-9]\d?$/.test(entries[0]!)) return Number(entries[0]);
  if (entries.every(isRange)) return entries;
  context.addIssue({ code: 'custom', message: 'must be CIDRs such as 10.0.0.0/8, or the number of proxies' });
  return z.NEVER;
});

const origins = list.refine((entries) => entries.every(isOrigin) || (entries.length === 1 && entries[0] === '*'), {
  error: 'must be * or origins such as https://app.example.com, without a path',
});

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;

const isKey = (text: string): boolean => Buffer.from(text, 'base64').length === 32;

const base64Key = z.string().refine(isKey, {
  error: 'must be 32 bytes in base64 (openssl rand -base64 32)',
});

/** MiB that a worker takes at most for one export, by measurement, and for itself; and what the machine or container has. */
export const memoryMib = {
  export: 120,
  process: 150,
  there: Math.floor(Math.min(totalmem(), process.constrainedMemory() || Infinity) / 2 ** 20),
};

/** As many exports at a time as there are cores, at least 2, if the memory of the machine or container is enough. */
const affordableExports = Math.max(
  1,
  Math.min(Math.max(2, availableParallelism()), Math.floor((memoryMib.there - memoryMib.process) / memoryMib.export)),
);

/**
 * Every variable there is: how it is read, what it is when not set, what it is for. docs/configuration.md and its test are held
 * to this list. `secret` ones never reach a log.
 */
export const variables = {
  PORT: { read: integer(0, 65535), default: '3000', about: 'port of the API' },
  HOST: { read: z.string().min(1), default: '127.0.0.1', about: 'address the API listens on' },
  LOGFERRY_KEEP_ALIVE_SECONDS: {
    read: integer(1, 86_400),
    default: '620',
    about: 'how long an idle connection to the API is kept; longer than the load balancer keeps it',
  },
  WORKER_PORT: { read: integer(0, 65535), about: 'where a worker on its own serves /livez, /readyz and /metrics' },
  LOGFERRY_DATA: { read: z.string().min(1), default: './.data', about: 'database, files and keys of the local mode' },
  LOGFERRY_SECRET_KEY: {
    read: base64Key,
    secret: true,
    about: '32 bytes in base64 that encrypt stored secrets and sign links',
  },
  LOGFERRY_SECRET_KEY_PREVIOUS: {
    read: list.refine((keys) => keys.length > 0 && keys.every(isKey), {
      error: 'must be keys of 32 bytes in base64, with commas between them',
    }),
    secret: true,
    about: 'secret keys before it, whose secrets, links and tokens are still read',
  },
  LOGFERRY_ADMIN_KEY: {
    read: z.string().regex(/^[!-~]+$/, 'must be printable ASCII without spaces: it is sent in a header'),
    secret: true,
    about: 'a management key',
  },
  LOGFERRY_LOG_LEVEL: {
    read: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    default: 'info',
    about: 'least level that is logged',
  },
  DATABASE_URL: { read: url(['postgresql:', 'postgres:']), secret: true, about: 'PostgreSQL 15 or newer' },
  QUEUE_URL: {
    read: url(['redis:', 'rediss:', 'postgresql:', 'postgres:']),
    secret: true,
    about: 'Redis, or the database',
  },
  STORAGE_URL: { read: url(['s3:', 'file:']), about: 's3://bucket/prefix or file:///path' },
  S3_ENDPOINT: { read: url(['http:', 'https:']), about: 'an S3-compatible server' },
  S3_PUBLIC_ENDPOINT: { read: url(['http:', 'https:']), about: 'where clients reach that server, for download links' },
  S3_REGION: { read: z.string().min(1), about: 'region of the bucket' },
  S3_FORCE_PATH_STYLE: { read: boolean, default: 'false', about: 'bucket in the path instead of the host' },
  S3_CHECKSUM: {
    read: z.enum(['crc32', 'none']),
    default: 'crc32',
    about: 'what parts are checked by; none for servers that know none',
  },
  S3_SSE: { read: z.enum(['AES256', 'aws:kms', 'aws:kms:dsse']), about: 'server-side encryption' },
  S3_KMS_KEY_ID: { read: z.string().min(1), about: 'key for S3_SSE=aws:kms' },
  S3_STORAGE_CLASS: { read: z.string().min(1), about: 'storage class of the files' },
  S3_EXPECTED_BUCKET_OWNER: {
    read: z.string().regex(/^\d{12}$/, 'must be an account id of 12 digits'),
    about: 'account that must own the bucket',
  },
  PUBLIC_URL: { read: url(['http:', 'https:']), about: 'what links point to' },
  LOGFERRY_ORIGIN: {
    read: z.string().refine((text) => isKeyName(text) && !/:\/\/|\/$/.test(text), {
      error: 'must be like audit.example.com: no "https://", no space, no "+", and no "/" at its end',
    }),
    about: "what names of tenants' logs begin with",
  },
  LOGFERRY_REGION: { read: z.string().min(1), default: 'eu', about: "this deployment's region" },
  LOGFERRY_REGIONS: {
    read: json(z.record(z.string(), z.url().transform(withoutEndSlash)), '{"eu": "https://eu.example.com"}'),
    default: '{}',
    about: 'base URL of each region',
  },
  LOGFERRY_DEFAULT_PLAN: {
    read: z.enum(plans),
    default: 'pro',
    about: 'plan of a tenant made without one',
  },
  LOGFERRY_PLAN_LIMITS: {
    read: json(planLimitsSchema, '{"pro": {"unfinished_exports": 100, "exported_rows_per_day": null}}'),
    default: '{}',
    about: 'limits of plans that differ from the usual ones',
  },
  LOGFERRY_STORE_LIMIT: {
    read: integer(1, 999_999_999_999_999),
    about: 'bytes of stored files, of all tenants together',
  },
  LOGFERRY_RATE_LIMIT: {
    read: integer(0, 1e9),
    default: '1000',
    about: 'requests a minute for each key; 0 = no limit',
  },
  LOGFERRY_TENANT_RATE_LIMIT: {
    read: integer(0, 1e9),
    about: 'requests a minute for all keys, tokens and sessions of a tenant; 0 = no limit',
  },
  LOGFERRY_TRUST_PROXY: {
    read: proxies,
    default: '',
    about: 'proxies whose X-Forwarded-For is believed',
  },
  LOGFERRY_WEBHOOK_ALLOW: {
    read: list
      .transform((entries) => entries.flatMap((entry) => (entry === 'localhost' ? loopbackRanges : [entry])))
      .refine((entries) => entries.every(isRange), {
        error: 'must be CIDRs such as 10.0.0.0/8, addresses, or localhost',
      }),
    default: '',
    about: 'CIDRs that webhooks may reach besides public addresses; localhost for this machine',
  },
  DOWNLOAD_URL_TTL: { read: integer(1, 604_800), default: '900', about: 'life of a download link in seconds' },
  EXPORT_TTL: { read: integer(60, 7_776_000), default: '604800', about: 'life of a finished file in seconds' },
  JWT_JWKS_URL: {
    read: url(['https:', 'http:']).refine((text) => /^https:/i.test(text) || isLoopback(new URL(text).hostname), {
      error: 'must be https, unless it is of this machine: whoever can change it on its way can sign tokens',
    }),
    about: "where users' tokens have their keys",
  },
  // A private key set by mistake must not be repeated, either.
  JWT_PUBLIC_KEY: { read: publicKey, secret: true, about: "public key of users' tokens (PEM)" },
  JWT_SECRET: {
    read: z
      .string()
      .min(32, 'must have at least 32 characters')
      .refine((text) => !text.includes('-----BEGIN '), {
        error: 'is a key in PEM: a public one is set as JWT_PUBLIC_KEY, as everybody could sign with it as a secret',
      }),
    secret: true,
    about: "shared secret of users' tokens",
  },
  JWT_ISSUER: { read: list, about: "issuers of users' tokens" },
  JWT_AUDIENCE: { read: list, about: "audiences of users' tokens" },
  JWT_PERMISSIONS: {
    read: json(z.record(z.string(), z.array(z.enum(scopes))), '{"fe.secure.read.audits": ["events:read", "export"]}'),
    default: '{"fe.secure.read.audits": ["events:read", "export"]}',
    about: 'permission → scopes',
  },
  CORS_ORIGINS: { read: origins, default: '*', about: 'origins that browsers may call from' },
  LOGFERRY_EXPORT_CONCURRENCY: {
    read: integer(1, 256),
    default: String(affordableExports),
    about: 'exports that one worker runs at a time',
  },
  LOGFERRY_EXPORT_READERS: {
    read: integer(1, 32),
    default: String(Math.max(2, Math.min(4, availableParallelism()))),
    about: 'segments that one export reads at a time',
  },
  LOGFERRY_SEGMENT_ROWS: { read: integer(1, 1_000_000), default: '20000', about: 'rows of one segment' },
  LOGFERRY_PART_MIB: { read: integer(1, 1024), default: '8', about: 'size of the first parts of an upload' },
  LOGFERRY_MAX_PARTS: { read: integer(10, 10_000), default: '10000', about: 'parts that an object may have' },
  LOGFERRY_PARTS_IN_FLIGHT: { read: integer(1, 64), default: '3', about: 'parts that one export stores at a time' },
  LOGFERRY_IN_FLIGHT_MIB: {
    read: integer(1, 65_536),
    default: '64',
    about: 'memory for parts of one export that are being stored',
  },
  LOGFERRY_YIELD_SECONDS: {
    read: integer(1, 86_400),
    default: '15',
    about: "how long a tenant's export runs before it gives way to that of a tenant who has none running",
  },
  LOGFERRY_DELIVERY_CONCURRENCY: {
    read: integer(1, 1000),
    default: '50',
    about: 'webhook deliveries that one worker makes at a time',
  },
  LOGFERRY_LEASE_SECONDS: { read: integer(2, 600), default: '10', about: 'how long a silent run keeps its export' },
  LOGFERRY_SWEEP_SECONDS: {
    read: integer(1, 3600),
    default: '10',
    about: 'how often a worker looks for what was left',
  },
} as const satisfies Record<string, { read: z.ZodType; default?: string; secret?: true; about: string }>;

export type VariableName = keyof typeof variables;

/** Former names that are still read in this version, and what replaced each. Using one is a warning. */
export const renamedVariables: Readonly<Record<string, VariableName>> = {
  LOGFERRY_TURN_SECONDS: 'LOGFERRY_YIELD_SECONDS',
  LOGFERRY_PARTS_MIB: 'LOGFERRY_IN_FLIGHT_MIB',
};

type Read<N extends VariableName> = z.output<(typeof variables)[N]['read']>;
type Values = {
  [N in VariableName]: (typeof variables)[N] extends { default: string } ? Read<N> : Read<N> | undefined;
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment as read: one member a variable, under its own name. */
export type Config = Readonly<Values> & {
  /** What links point to: PUBLIC_URL, or http://HOST:PORT. */
  readonly publicUrl: string;
  /** What names of tenants' logs begin with: LOGFERRY_ORIGIN, or host and port of publicUrl. */
  readonly origin: string;
  /** Where files are kept: STORAGE_URL, or a folder under LOGFERRY_DATA. */
  readonly storageUrl: string;
  /** One line for each variable that is read under a former name. */
  readonly warnings: readonly string[];
};

const waysToVerify: readonly VariableName[] = ['JWT_JWKS_URL', 'JWT_PUBLIC_KEY', 'JWT_SECRET'];

/** The environment holds mistakes; `message` has one line for each. */
export class ConfigError extends Error {
  constructor(lines: string[]) {
    super(lines.join('\n'));
    this.name = 'ConfigError';
  }
}

/**
 * Reads the environment, once, at start. An empty variable counts as not set.
 * @throws ConfigError that lists all mistakes, misspelt names among them
 */
export function readConfig(environment: Environment = process.env): Config {
  const renamed = readRenamed(environment);
  const mistakes = misspeltNames(environment).map(({ name, near }) =>
    near ? `${name} is not a variable of Logferry; did you mean ${near}?` : `${name} is not a variable of Logferry`,
  );
  mistakes.push(...renamed.mistakes);
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(variables)) {
    const text = environment[name] || renamed.values[name] || ('default' in variable ? variable.default : undefined);
    if (text === undefined) continue;
    const parsed = variable.read.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else mistakes.push(`${name} ${parsed.error.issues[0]!.message}${'secret' in variable ? '' : `, not "${text}"`}`);
  }
  if (waysToVerify.filter((name) => name in values).length > 1) {
    mistakes.push(`Set one of ${waysToVerify.join(', ')}: users' tokens are verified in one way`);
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const config = values as Values;
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  const publicUrl = withoutEndSlash(config.PUBLIC_URL ?? `http://${host}:${config.PORT}`);
  return Object.freeze({
    ...config,
    publicUrl,
    origin: config.LOGFERRY_ORIGIN ?? new URL(publicUrl).host,
    storageUrl: config.STORAGE_URL ?? pathToFileURL(resolve(config.LOGFERRY_DATA, 'files')).href,
    warnings: renamed.warnings,
  });
}

const prefix = 'LOGFERRY_';
/** First words of variables that have no prefix of ours. Other programs may have variables that begin like them. */
const sharedPrefixes = new Set(
  Object.keys(variables).flatMap((name) => (name.startsWith(prefix) || !name.includes('_') ? [] : name.split('_', 1))),
);

/**
 * Names that are meant for us and are none of ours: all with our prefix, and of the others those that nearly spell a variable
 * which is not set.
 */
export function misspeltNames(environment: Environment): { name: string; near: string | undefined }[] {
  return Object.keys(environment).flatMap((name) => {
    if (!environment[name] || name in variables || name in renamedVariables) return [];
    if (name.startsWith(prefix)) return [{ name, near: meantBy(name) }];
    if (!sharedPrefixes.has(name.split('_', 1)[0]!)) return [];
    const near = meantBy(name);
    return near !== undefined && !environment[near] ? [{ name, near }] : [];
  });
}

/** The variable without our prefix, or with it, before one that is spelt alike. */
function meantBy(name: string): string | undefined {
  const other = name.startsWith(prefix) ? name.slice(prefix.length) : prefix + name;
  if (other in variables) return other;
  // Of a name that may be another program's, nothing but a slip of the fingers counts.
  return nearestName(name, Object.keys(variables), name.startsWith(prefix) ? undefined : 2);
}

/** What is set under former names, by the present ones. A variable that is set under both is a mistake. */
function readRenamed(environment: Environment) {
  const set = Object.entries(renamedVariables).filter(([former]) => environment[former]);
  return {
    values: Object.fromEntries(set.map(([former, name]) => [name, environment[former]])) as Record<string, string>,
    warnings: set.map(([former, name]) => `${former} is now ${name}; the next version will not read the former name`),
    mistakes: set
      .filter(([, name]) => environment[name])
      .map(([former, name]) => `${former} is the former name of ${name}: set one of the two`),
  };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
