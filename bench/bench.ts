import type pg from 'pg';
import type { Caller } from '../local/call-api.ts';
import type { Stop } from '../local/services/find-redis.ts';
import { isShort, type Size } from './arguments.ts';
import { type Children, openChildren } from './children.ts';
import { findLimit, type Limit } from './contenders/limit.ts';
import { connected, fillEvents } from './data-set.ts';
import { type Deployment, type Deployments, type Engines, makeTenant, openDeployments } from './deployment.ts';
import type { Line } from './line.ts';
import { type Servers, startServers } from './servers.ts';

export type Log = Caller & { id: string };

/** What all measures have in common. */
export type Bench = {
  size: Size;
  servers: Servers;
  children: Children;
  deployments: Deployments;
  limit: Limit;
  /** Tenants with their keys: of the measured log, of the large one, and of those that events are posted to. */
  logs: { main: Log; large: Log; posted: Log[] };
  /** Aborted when the run is to end. */
  signal: AbortSignal;
  /** Figures besides the table, such as costs: all go into the JSON. */
  figures: Record<string, unknown>;
  say(line: string): void;
};

/** A group of lines of the table that are taken together, on a deployment made for them. */
export type Measure = {
  /** P1 and such. */
  ids: readonly string[];
  engines: Engines;
  take(bench: Bench, deployment: Deployment): Promise<Line[]>;
};

/** Starts all servers and fills the database. @param stops gets what ends it all */
export async function openBench(
  { size, signal, say }: Pick<Bench, 'size' | 'signal' | 'say'>,
  stops: Stop[],
): Promise<Bench> {
  say('starting PostgreSQL, Redis and S3');
  const servers = await startServers(stops);
  const children = openChildren(signal, size.profiles);
  stops.push(children.endAll);
  const deployments = openDeployments(children, servers);
  stops.push(deployments.end);
  const { url } = await deployments.get({ queue: 'postgres', storage: 'file' });
  const named = (name: string) => makeTenant(url, name);
  const [main, large] = [await named('main'), await named('large')];
  const others = await inTurn(10, (i) => named(`other ${i}`));
  const posted = await inTurn(8, (i) => named(`posted ${i}`));
  say(`filling ${(2 * size.rows + size.largeRows).toLocaleString('en')} events`);
  await fillEvents(
    servers.databaseUrl,
    {
      main: { tenantId: main.id, rows: size.rows },
      others: others.map(({ id }) => id),
      large: { tenantId: large.id, rows: size.largeRows },
    },
    signal,
  );
  const limit = findLimit(servers.databaseUrl);
  const logs = { main, large, posted };
  return { size, servers, children, deployments, limit, logs, signal, figures: {}, say };
}

async function inTurn<T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let i = 0; i < count; i++) made.push(await make(i));
  return made;
}

/** Runs one statement past Logferry. */
export async function ask<Row extends pg.QueryResultRow>(
  { servers }: Pick<Bench, 'servers'>,
  statement: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return connected(servers.databaseUrl, async (client) => (await client.query<Row>(statement, values)).rows);
}

/** When the event of that number happened, as a filter takes it: up to it, an index gives just so many. */
export async function timeOf(bench: Bench, log: Log, number: number): Promise<string> {
  const [row] = await ask<{ at: string }>(
    bench,
    `select to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from events
     where tenant_id = $1 and sequence_number = $2`,
    [log.id, number],
  );
  return row!.at;
}

const mostOfLong = 2;
/** Rounds of what takes long: one in a run of few rows, which is to be short. */
export const fewRounds = ({ size }: Bench): number => Math.min(size.rounds, isShort(size.rows) ? 1 : mostOfLong);

/** How long what has no end of its own is kept up: longer in longer runs. */
export const durationMs = ({ size }: Bench): number => Math.min(10_000, Math.max(1_000, size.rows / 50));
