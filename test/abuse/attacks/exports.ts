import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ask } from '../ask.ts';
import type { Attack, Stage } from '../attack.ts';
import { count, flood } from '../flood.ts';

const whole = '{"format":"json","compression":"zstd","sort":[{"field":"description","direction":"asc"}]}';

/** As many webhooks as the plan takes, all to a place that never answers. */
async function silentWebhooks(stage: Stage): Promise<() => void> {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (let n = 0; n < 60; n++) {
    const body = JSON.stringify({ url: url.replace('https', 'http'), events: ['*'] });
    const reply = await ask(stage, '/v1/webhooks', { body })(stage.signal);
    count(stage.tally, `webhook ${reply.status}`);
  }
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

/** What the attack has left to the workers: the next one is to be judged by itself. */
async function cancelAll(stage: Stage): Promise<void> {
  const { signal } = new AbortController();
  for (const status of ['queued', 'running']) {
    for (;;) {
      const page = await ask(stage, `/v1/exports?status=${status}&limit=100`)(signal);
      const { data } = (await page.json()) as { data: { id: string }[] };
      const replies = await Promise.all(
        data.map(({ id }) => ask(stage, `/v1/exports/${id}/cancel`, { method: 'POST' })(signal)),
      );
      await Promise.all(replies.map((reply) => reply.arrayBuffer()));
      if (data.length < 100) break;
    }
  }
}

export const exports: Attack[] = [
  {
    name: 'exports without end, made by 20 connections and sorted without an index',
    bound: 'tenants take turns at the workers; pools that exports cannot exhaust',
    isShort: true,
    async run(stage) {
      await flood(stage, 20, ask(stage, '/v1/exports', { body: whole }));
      await cancelAll(stage);
    },
  },
  {
    name: '50 webhooks that never answer, and exports that are announced to them',
    bound: '50 webhooks per tenant; deliveries of a tenant take turns with those of others',
    async run(stage) {
      const close = await silentWebhooks(stage);
      const body = '{"format":"csv","filter":{"through_sequence":10}}';
      await flood(stage, 4, ask(stage, '/v1/exports', { body }));
      close();
    },
  },
  {
    name: 'CSV of Frontegg by 20 connections, with filters that no index serves',
    bound: 'streams of a tenant are bounded; statements are given up',
    run: (stage) =>
      flood(
        stage,
        20,
        ask(stage, '/audits/export/csv/v2', {
          body: '{"properties":[{"name":"description","displayName":"d"}],"filters":{"description":"nowhere"}}',
        }),
      ),
  },
];
