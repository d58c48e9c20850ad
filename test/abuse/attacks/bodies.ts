import { gzipSync } from 'node:zlib';
import { ask } from '../ask.ts';
import type { Attack } from '../attack.ts';
import { flood, untilAborted } from '../flood.ts';
import { headOf, holdOpen } from '../sockets.ts';

const mebibyte = 2 ** 20;
const ndjson = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };

/** One event of 0.9 MiB a line; it packs to a thousandth. */
const largeLine = `${JSON.stringify({ action: 'abuse.large', description: 'x'.repeat(0.9 * mebibyte) })}\n`;
const largeEvents = gzipSync(largeLine.repeat(14));
const bomb = gzipSync(Buffer.alloc(400 * mebibyte, '\n'), { level: 9 });

export const bodies: Attack[] = [
  {
    name: '40 gzip NDJSON bodies of large events at a time',
    bound: 'bytes of bodies in flight, by tenant and process',
    isShort: true,
    run: (stage) => flood(stage, 40, ask(stage, '/v1/events/batch', { body: largeEvents, headers: ndjson })),
  },
  {
    name: 'half a megabyte of gzip that unpacks to 400 MiB of blank lines',
    bound: 'at most 200 times the size beyond 16 MiB',
    isShort: true,
    run: (stage) => flood(stage, 8, ask(stage, '/v1/events/batch', { body: bomb, headers: ndjson })),
  },
  {
    name: '120 sockets with gzip that unpacks to 16 MiB and never ends',
    bound: 'bodies arrive at a least rate; bytes in flight by tenant and process',
    async run(stage) {
      const start = gzipSync(Buffer.alloc(16 * mebibyte, ' ')).subarray(0, -20);
      const head = headOf('POST /v1/events/batch', {
        Authorization: `Bearer ${stage.target.attacker.key}`,
        'Content-Type': 'application/json',
        'Content-Encoding': 'gzip',
        'Content-Length': String(start.length + 1000),
      });
      holdOpen(stage, 120, () => Buffer.concat([Buffer.from(head), start]));
      await untilAborted(stage.signal);
    },
  },
  {
    name: '300 sockets that send half a head or half a body without a key',
    bound: 'the head within 10 seconds, bodies at a least rate',
    async run(stage) {
      const body = headOf('POST /auth/vendor', { 'Content-Type': 'application/json', 'Content-Length': '500' });
      holdOpen(stage, 150, () => `${body}{"clientId": "`);
      holdOpen(stage, 150, () => 'GET /v1/events HTTP/1.1\r\nHost: logferry\r\nAuthoriz');
      await untilAborted(stage.signal);
    },
  },
];
