import { gzipSync } from 'node:zlib';
import { ask } from '../ask.ts';
import type { Attack, Stage } from '../attack.ts';
import { count, untilAborted } from '../flood.ts';
import { headOf, holdOpen } from '../sockets.ts';

const lineBytes = 0.9 * 2 ** 20;
const large = `${JSON.stringify({ action: 'abuse.unread', description: 'x'.repeat(lineBytes) })}\n`;

const get = ({ target }: Stage, path: string): string =>
  headOf(`GET ${path}`, { Authorization: `Bearer ${target.attacker.key}` });

/** Large events, so that pages of them are as long as pages get; as many as may be packed so tightly. */
const largeEvents = gzipSync(large.repeat(15));

async function writeLargeEvents(stage: Stage): Promise<void> {
  const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
  const reply = await ask(stage, '/v1/events/batch', { body: largeEvents, headers })(stage.signal);
  count(stage.tally, reply.status);
}

const unread = (connections: number, bytes: (stage: Stage) => string) => async (stage: Stage) => {
  await writeLargeEvents(stage);
  holdOpen(stage, connections, () => bytes(stage), { reads: false });
  await untilAborted(stage.signal);
};

const page = '/v1/events?action=abuse.unread&limit=100';

export const unreadReplies: Attack[] = [
  {
    name: 'pages of large events, asked for on 60 connections and not read',
    bound: 'pages are cut at 8 MiB; bytes of replies by tenant and process',
    isShort: true,
    run: unread(60, (stage) => get(stage, page)),
  },
  {
    name: '100 pages pipelined on each of 10 connections, and not read',
    bound: 'bytes of replies by tenant and process',
    run: unread(10, (stage) => get(stage, page).repeat(100)),
  },
  {
    name: 'Frontegg lists of large events on 20 connections, and not read',
    bound: 'rows are sent one by one, as they are read',
    run: unread(20, (stage) => get(stage, '/audits/resources/audits/v2?count=1000')),
  },
  {
    name: 'streams of events on 40 connections, and not read',
    bound: 'streams of a tenant are bounded, and hold a connection only while they read',
    isShort: true,
    run: unread(40, (stage) => get(stage, '/v1/events/export?format=csv')),
  },
];
