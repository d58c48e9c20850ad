import { setTimeout as wait } from 'node:timers/promises';

/**
 * A well-behaved tenant, as a process of its own, so that its times are not those of the attacker beside it. Asks ten times a
 * second, whatever became of the requests before; every two seconds it makes an export and waits for it. Tells its parent of
 * each request, and ends with it.
 */
export type Observation = { what: string; status: number; ms: number };

const [, , url, key] = process.argv;
const everyMs = 100;
const exportEvery = 20;
/** Longer than anything may take; a request without a reply by then counts as 599. */
const patienceMs = 60_000;

const json = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const event = { action: 'user.login', actor: { id: 'usr_1' }, metadata: { mfa: true } };

const requests: [what: string, path: string, init?: RequestInit][] = [
  ['write', '/v1/events', json(event)],
  ['list', '/v1/events?limit=25'],
  ['batch', '/v1/events/batch', json({ events: Array.from({ length: 50 }, () => event) })],
  ['find', '/v1/events?action=user.*&limit=5'],
  ['exports', '/v1/exports?limit=5'],
  ['stream', '/v1/events/export?through_sequence=50'],
  ['ready', '/readyz'],
];

const exportRequest: RequestInit = { ...json({ format: 'csv', filter: { through_sequence: 50 } }) };

process.on('disconnect', () => process.exit());
for (let n = 0, at = performance.now(); ; n++, at += everyMs) {
  await wait(Math.max(0, at - performance.now()));
  const [what, path, init] = requests[n % requests.length]!;
  void observe(what, path, init);
  if (n % exportEvery === 0) void observe('export', '/v1/exports', withWait(exportRequest));
}

function withWait(init: RequestInit): RequestInit {
  return { ...init, headers: { ...init.headers, prefer: 'wait=30' } };
}

async function observe(what: string, path: string, init: RequestInit = {}): Promise<void> {
  const begun = performance.now();
  let status = 599;
  try {
    const reply = await fetch(`${url}${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(patienceMs),
    });
    await reply.arrayBuffer();
    status = reply.status;
  } catch {
    // Counted by its status.
  }
  process.send?.({ what, status, ms: performance.now() - begun } satisfies Observation);
}
