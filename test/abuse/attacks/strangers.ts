import { randomBytes } from 'node:crypto';
import { makeApiKey } from '../../../core/access/api-keys.ts';
import { ask } from '../ask.ts';
import type { Attack } from '../attack.ts';
import { flood } from '../flood.ts';

export const strangers: Attack[] = [
  {
    name: 'well-formed made-up keys on 50 connections, from the address of others',
    bound: '60 refused sign-ins per minute and address; then they are not looked up, and keys in good use go on',
    isShort: true,
    run: (stage) => flood(stage, 50, (signal) => ask(stage, '/v1/events', { key: makeApiKey('tenant') })(signal)),
  },
  {
    name: 'made-up secrets to /auth/vendor on 50 connections',
    bound: '60 refused sign-ins per minute and address',
    run: (stage) =>
      flood(stage, 50, (signal) => {
        const body = JSON.stringify({ clientId: crypto.randomUUID(), secret: randomBytes(32).toString('hex') });
        return ask(stage, '/auth/vendor', { body })(signal);
      }),
  },
  {
    name: 'heads of 60 KB to unknown paths on 50 connections',
    bound: 'heads have at most 64 KiB; what is unknown is refused before anything is read',
    run: (stage) => flood(stage, 50, ask(stage, `/nowhere?${'x'.repeat(60_000)}`, { key: 'none' })),
  },
];
