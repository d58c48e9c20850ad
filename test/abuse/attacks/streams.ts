import { ask } from '../ask.ts';
import type { Attack, Stage } from '../attack.ts';
import { count, flood, untilAborted } from '../flood.ts';
import { headOf, holdOpen } from '../sockets.ts';

/** An export of the whole log, which takes a while. */
async function newExport(stage: Stage): Promise<string> {
  const reply = await ask(stage, '/v1/exports', { body: '{"format":"ndjson","compression":"gzip"}' })(stage.signal);
  count(stage.tally, reply.status);
  return ((await reply.json()) as { id: string }).id;
}

export const streams: Attack[] = [
  {
    name: '150 progress streams of one export',
    bound: 'one look per export and process; 50 streams of a key',
    isShort: true,
    async run(stage) {
      const id = await newExport(stage);
      await flood(stage, 150, ask(stage, `/v1/exports/${id}/events`));
    },
  },
  {
    name: '200 requests that wait 30 seconds for an export',
    bound: 'one look per export and process; waits of a tenant are bounded',
    run: (stage) =>
      flood(stage, 200, ask(stage, '/v1/exports', { body: '{"format":"csv"}', headers: { prefer: 'wait=30' } })),
  },
  {
    name: 'slow NDJSON streams, four of each of two tenants',
    bound: 'a slot is taken when bytes are there: two of a tenant, four in all, waits of 10 seconds',
    isShort: true,
    async run(stage) {
      const other = await stage.target.newTenant('Other attacker');
      for (const { key } of [stage.target.attacker, other]) {
        const head = headOf('POST /v1/events/batch', {
          Authorization: `Bearer ${key}`,
          'Content-Type': 'application/x-ndjson',
          'Transfer-Encoding': 'chunked',
        });
        const line = '{"action":"abuse.slow"}\n';
        holdOpen(stage, 4, () => `${head}${line.length.toString(16)}\r\n${line}\r\n`);
      }
      await untilAborted(stage.signal);
    },
  },
];
