import type pg from 'pg';
import type { Finding } from '../../core/findings.ts';
import { oldestServer } from '../migrate.ts';

/** Of these a session takes what the role, the database or the server has set, as our pools set none of their own. */
const timeouts = ['statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout'] as const;

/** What a server says of itself and of our session; settings by their names, times in milliseconds. */
type Facts = {
  version: string;
  number: number;
  settings: Record<string, string>;
  isReplica: boolean;
  connections: { most: number; reserved: number; open: number };
  bytes: number;
  frozenAge: number;
  longestSeconds: number;
  aheadMs: number;
  answerMs: number;
};

const about = 'database';
const ok = (text: string): Finding => ({ level: 'ok', about, text });

/**
 * All there is to say about the server and how it is set up for us.
 * @param connectionsAsked how many connections one API and one worker may open
 */
export async function inspectServer(client: pg.Client, connectionsAsked: number): Promise<Finding[]> {
  const facts = await askFacts(client);
  return [
    ...versionFindings(facts),
    ...roleFindings(facts),
    ...sessionFindings(facts.settings),
    ...timeoutFindings(facts.settings),
    ...durabilityFindings(facts.settings),
    connectionFinding(facts.connections, connectionsAsked),
    clockFinding(facts.aheadMs),
    ...housekeepingFindings(facts),
  ];
}

async function askFacts(client: pg.Client): Promise<Facts> {
  const sentAt = Date.now();
  const begun = performance.now();
  const { rows: clock } = await client.query<{ now: string }>(
    'select extract(epoch from clock_timestamp()) * 1000 as now',
  );
  const answerMs = performance.now() - begun;
  const { rows: settings } = await client.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings',
  );
  const { rows } = await client.query<Record<string, string | number | boolean>>(`
    select pg_is_in_recovery() as "isReplica",
      least((select setting::int from pg_settings where name = 'max_connections'),
        (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user),
        (select nullif(datconnlimit, -1) from pg_database where datname = current_database())) as most,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend'
        and coalesce(application_name, '') not like 'logferry%') as open,
      pg_database_size(current_database())::float8 as bytes,
      (select age(datfrozenxid) from pg_database where datname = current_database()) as "frozenAge",
      (select coalesce(extract(epoch from max(now() - xact_start)), 0)::float8 from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()) as "longestSeconds"`);
  const { most, open, ...row } = rows[0] as unknown as Pick<
    Facts,
    'isReplica' | 'bytes' | 'frozenAge' | 'longestSeconds'
  > & { most: number; open: number };
  const byName = Object.fromEntries(settings.map(({ name, setting }) => [name, setting]));
  const reserved = Number(byName.superuser_reserved_connections ?? 0) + Number(byName.reserved_connections ?? 0);
  return {
    ...row,
    version: byName.server_version!,
    number: Number(byName.server_version_num),
    settings: byName,
    connections: { most, reserved, open },
    aheadMs: Number(clock[0]!.now) - (sentAt + answerMs / 2),
    answerMs,
  };
}

function versionFindings({ version, number, answerMs }: Facts): Finding[] {
  const text = `PostgreSQL ${version} answers within ${answerMs.toFixed(1)} ms`;
  if (number >= oldestServer * 10_000) return [ok(text)];
  const remedy = `Use PostgreSQL ${oldestServer} or newer.`;
  return [{ level: 'failure', about, text: `PostgreSQL is version ${version}`, remedy }];
}

function roleFindings({ isReplica, settings }: Facts): Finding[] {
  if (isReplica) {
    const remedy = 'Name the primary in DATABASE_URL, or an address that follows it.';
    return [{ level: 'failure', about, text: 'The server is a replica: nothing can be written', remedy }];
  }
  if (settings.default_transaction_read_only !== 'on') return [];
  const remedy = 'Set default_transaction_read_only to off for the role and the database.';
  return [{ level: 'failure', about, text: 'Transactions are read-only by default: nothing can be written', remedy }];
}

/** The adapter of Prisma relabels times that are not in UTC instead of converting them, and so would change them. */
function sessionFindings({ TimeZone: zone, server_encoding: encoding }: Record<string, string>): Finding[] {
  const findings: Finding[] = [];
  if (zone !== 'UTC') {
    const remedy = 'Let DATABASE_URL lead past the pooler that drops startup options, or have it pass them on.';
    findings.push({ level: 'failure', about, text: `Sessions run in ${zone} instead of UTC`, remedy });
  } else findings.push(ok('sessions keep their settings'));
  if (encoding !== 'UTF8') {
    const remedy = 'Make a database with the encoding UTF8 and restore into it.';
    findings.push({
      level: 'failure',
      about,
      text: `The database is encoded in ${encoding}: events would be lost`,
      remedy,
    });
  }
  return findings;
}

/** Milliseconds. A segment takes a second or two, but one that sorts without an index, or waits for a slow storage, takes long. */
const enoughMs = 3_600_000;

function timeoutFindings(settings: Record<string, string>): Finding[] {
  const short = timeouts.filter((name) => Number(settings[name] ?? 0) > 0 && Number(settings[name]) < enoughMs);
  const idle = Number(settings.idle_session_timeout ?? 0);
  const findings = short.map<Finding>((name) => ({
    level: 'warning',
    about,
    text: `${name} is ${settings[name]} ms: it interrupts exports that read, and event streams that write, for longer`,
    remedy: `Set it to 0 for the role: alter role … set ${name} = 0. Where a limit is needed, Logferry sets its own.`,
  }));
  if (idle > 0) {
    const remedy = 'Set it to 0 for the role: alter role … set idle_session_timeout = 0.';
    const text = `idle_session_timeout is ${idle} ms: it closes connections that wait for work`;
    findings.push({ level: 'warning', about, text, remedy });
  }
  return findings.length > 0 ? findings : [ok('no timeout of the server or the role interrupts exports')];
}

function durabilityFindings(settings: Record<string, string>): Finding[] {
  const off = ['fsync', 'full_page_writes', 'synchronous_commit'].filter((name) => settings[name] === 'off');
  return off.map((name) => ({
    level: 'warning',
    about,
    text: `${name} is off: events and exports that were acknowledged may be gone after the server crashes`,
    remedy: `Set ${name} to on.`,
  }));
}

function connectionFinding({ most, reserved, open }: Facts['connections'], asked: number): Finding {
  const free = Math.max(0, most - reserved - open);
  const text = `an API and a worker open up to ${asked} connections; ${free} of ${most} are available`;
  if (asked <= free) return ok(text);
  return {
    level: 'warning',
    about,
    text: `Connections may run out: ${text}`,
    remedy:
      'Raise max_connections (or the limit of the role), or lower LOGFERRY_EXPORT_CONCURRENCY or LOGFERRY_EXPORT_READERS.',
  };
}

/** Leases go by the clock of the database alone. Creation, expiry and what webhooks are signed with go by ours. */
const largestClockDifferenceMs = 5_000;

function clockFinding(aheadMs: number): Finding {
  if (Math.abs(aheadMs) < largestClockDifferenceMs) return ok('its clock agrees with that of this machine');
  const text = `The clock of the database is ${Math.abs(aheadMs / 1000).toFixed(0)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this machine`;
  return { level: 'warning', about, text, remedy: 'Synchronize both with a time server (NTP).' };
}

/** The server refuses to write when two billion transactions are not frozen; autovacuum should begin at 200 million. */
const oldestFrozenAge = 1_000_000_000;
const longestTransactionSeconds = 3_600;

function housekeepingFindings({ bytes, frozenAge, longestSeconds, settings }: Facts): Finding[] {
  const findings: Finding[] = [ok(`it uses ${(bytes / 2 ** 30).toFixed(2)} GiB of disk space`)];
  if (settings.autovacuum === 'off' || frozenAge > oldestFrozenAge) {
    const text = `Vacuum does not keep up: autovacuum is ${settings.autovacuum}, ${Math.round(frozenAge / 1e6)} million transactions are not frozen`;
    findings.push({ level: 'warning', about, text, remedy: 'Turn autovacuum on, and find out what holds it back.' });
  }
  if (longestSeconds > longestTransactionSeconds) {
    const text = `A transaction has been open for ${Math.round(longestSeconds / 60)} minutes, and holds vacuum back`;
    findings.push({ level: 'warning', about, text, remedy: 'Find it in pg_stat_activity by xact_start, and end it.' });
  }
  return findings;
}
