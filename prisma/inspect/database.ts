import type pg from 'pg';
import { within } from '../../core/async/within.ts';
import type { Config } from '../../core/config.ts';
import type { Finding } from '../../core/findings.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import { mostConnections, scanConnections, streamConnections } from '../connections.ts';
import { readFigures } from '../metrics.ts';
import { connectClient, refuseTransactionPooling, SessionError } from '../session.ts';
import { inspectIsolation } from './isolation.ts';
import { inspectLogs, inspectSigningKey } from './logs.ts';
import { inspectServer } from './server.ts';
import { inspectStoredBytes } from './stored-bytes.ts';
import { inspectManagementKeys, inspectMigrations, inspectOwnership, inspectSecretKey } from './tables.ts';

/** Milliseconds to connect, and for each statement. */
const connectTimeoutMs = 5_000;
const queryTimeoutMs = 5_000;
const endLimitMs = 500;

const about = 'database';

export type InspectOptions = {
  config: Config;
  /** Whether the queue is in this database, too. */
  hasQueue: boolean;
  /** If there is one yet. */
  secretKey: SecretKey | undefined;
};

/**
 * All there is to say about the database, in a few seconds; changes nothing. One that cannot be reached is a finding. Asks by
 * a session like those of exports, which have no timeouts of their own.
 */
export async function inspectDatabase(url: string, options: InspectOptions): Promise<Finding[]> {
  const connect = async () => {
    const client = await connectClient(url, {
      application_name: 'logferry-doctor',
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: queryTimeoutMs,
    });
    const release = () => within(endLimitMs, 'the end of the connection', client.end()).catch(() => {});
    return { client, release };
  };
  try {
    await refuseTransactionPooling(connect);
    const { client, release } = await connect();
    return await inspect(client, options).finally(release);
  } catch (error) {
    if (error instanceof SessionError) return [pooled(error)];
    return [unreachable(error as Error & { code?: string })];
  }
}

const pooled = ({ what: text, remedy }: SessionError): Finding => ({ level: 'failure', about, text, remedy });

async function inspect(client: pg.Client, { config, hasQueue, secretKey }: InspectOptions): Promise<Finding[]> {
  const { requests, runs, queue } = mostConnections;
  // Only the API has streams.
  const asked = 2 * (requests + runs + scanConnections(config) + (hasQueue ? queue : 0)) - streamConnections;
  const found = await inspectServer(client, asked);
  // Each asks for what the one before has found to be there.
  const looks = [
    () => inspectMigrations(client),
    () => inspectOwnership(client),
    () => inspectIsolation(client),
    () => inspectWork(client),
    () => inspectStoredBytes(client, config.LOGFERRY_STORE_LIMIT),
    () => inspectManagementKeys(client, config.LOGFERRY_ADMIN_KEY !== undefined),
    () => inspectSecretKey(client, secretKey),
    () => inspectSigningKey(client, secretKey),
    () => inspectLogs(client),
  ];
  for (const look of looks) {
    const next = await look();
    found.push(...next);
    if (next.some(({ level }) => level === 'failure')) break;
  }
  return found;
}

/** Seconds that what is due may wait: a worker takes it at once, or with its next sweep. */
const longWait = 120;

/** Events. A worker seals so many within a minute or two. */
const muchUnsealed = 1_000_000;

const startWorkers = 'Start a worker (npm run worker), or more of them, and look into the log of those that run.';

/** Whether somebody does the work. */
async function inspectWork(client: pg.Client): Promise<Finding[]> {
  const figures = await readFigures(client);
  const { queued, running, silent, due, oldestDueSeconds, deliveriesPending, oldestDeliverySeconds, unsealedEvents } =
    figures;
  const text = `${running} exports run and ${queued} wait; ${deliveriesPending} webhook deliveries are pending`;
  const findings: Finding[] = [{ level: 'ok', about: 'work', text }];
  const warn = (text: string) => findings.push({ level: 'warning', about: 'work', text, remedy: startWorkers });
  if (due > 0 && oldestDueSeconds > longWait) {
    warn(`${due} exports wait for a worker, the first for ${Math.round(oldestDueSeconds)} s`);
  }
  if (oldestDeliverySeconds > longWait) {
    warn(`Webhook deliveries wait for a worker, the first for ${Math.round(oldestDeliverySeconds)} s`);
  }
  if (unsealedEvents > muchUnsealed) warn(`${unsealedEvents} events wait to be sealed into tiles of their logs`);
  if (silent > 0) warn(`The workers of ${silent} exports have been silent for longer than their leases`);
  return findings;
}

/** What to do about a connection that failed, by what PostgreSQL or the system call said. */
const remedies: [codes: RegExp, remedy: string][] = [
  [/^(28P01|28000)$/, 'Correct user and password in DATABASE_URL, or let the server take them (pg_hba.conf).'],
  [/^42501$/, 'Make the role of DATABASE_URL the owner of the database and its tables.'],
  [/^3D000$/, 'Create the database (createdb), or correct its name in DATABASE_URL.'],
  [/^53300$/, 'Raise max_connections, or find who has them all (pg_stat_activity).'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'Correct the host in DATABASE_URL: it cannot be resolved.'],
  [/^(08P01|42704)$/, 'Take "options" out of DATABASE_URL, or connect past the pooler: it refuses them.'],
];

function unreachable(error: Error & { code?: string }): Finding {
  const remedy =
    remedies.find(([codes]) => codes.test(error.code ?? ''))?.[1] ??
    'Start the server, and correct host and port in DATABASE_URL; check that nothing in between blocks connections.';
  const inner = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : undefined;
  const text = `The database cannot be used: ${error.message || inner?.message || error.code}`;
  return { level: 'failure', about, text, remedy };
}
