import type { S3Service } from '../../local/services/find-s3.ts';
import type { WebhookReceiver } from '../webhook-receiver.ts';
import { auditFiles } from './audit-files.ts';
import { auditHistory } from './audit-history.ts';
import { auditLog } from './audit-log.ts';
import { auditMessages } from './audit-messages.ts';
import { auditProcesses } from './audit-processes.ts';
import { auditRemains } from './audit-remains.ts';
import { auditReplies } from './audit-replies.ts';
import type { Evidence } from './evidence.ts';
import { type Figures, figuresOf } from './figures.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { type Busy, keepReading, keepWriting } from './keep-busy.ts';
import { keepEvidence } from './keep-evidence.ts';
import { planOrders } from './orders.ts';
import { placeOrders } from './place-orders.ts';
import { apiFaults, workerFaults } from './process-faults.ts';
import { type Random, seededRandom } from './random-numbers.ts';
import { auditRecoveries } from './recoveries.ts';
import { disturb, type FaultLimits, type Scene } from './scene.ts';
import { serviceFaults, slowDown } from './service-faults.ts';
import { untilSettled } from './settle.ts';
import { readHistory } from './status-history.ts';
import { type ChaosTenant, makeTenant } from './tenants.ts';
import { openInbox } from './webhook-inbox.ts';

/** How much there is to do, and to bear. */
export type ChaosSize = {
  exports: number;
  /** Milliseconds for which things are disturbed. */
  forMs: number;
  /** Events of the largest logs; others are a tenth of that, and some between. */
  rows: number;
  limits: FaultLimits;
};

/** Some minutes, for `npm run chaos`; and every kind of disturbance once, for `npm test`. */
export const chaosSizes = {
  full: {
    exports: 200,
    forMs: 300_000,
    rows: 50_000,
    limits: { redisAwayMs: 30_000, frozenMs: 15_000, pauseMs: 5_000 },
  },
  short: {
    exports: 40,
    forMs: 25_000,
    rows: 12_000,
    limits: { redisAwayMs: 4_000, frozenMs: 3_000, pauseMs: 1_500 },
  },
} satisfies Record<string, ChaosSize>;

export type ChaosOptions = ChaosSize & {
  seed: number;
  s3: S3Service;
  /** A directory for the logs of all processes and what else explains a mistake; none if missing. */
  keepIn?: string;
  /** Told of what is being done. */
  say(line: string): void;
};

const tenantCount = 10;
const readers = 4;
const writers = 3;
/** Exports are asked for in this share of the time, so that the last ones are disturbed, too. */
const orderingShare = 0.7;

/**
 * Lets clients ask many processes for exports while these, Redis, Postgres and S3 are killed, stopped, frozen and disturbed,
 * and then looks whether anything was lost, doubled or left behind. What is done, and about when, follows from the seed.
 * @returns what was wrong, and figures
 */
export async function runChaos(options: ChaosOptions): Promise<{ mistakes: string[]; figures: Figures }> {
  const inbox = await openInbox();
  const fleet = await startFleet(options);
  try {
    return await observe(options, fleet, inbox);
  } finally {
    await fleet.stop();
    await inbox.close();
  }
}

async function observe(options: ChaosOptions, fleet: Fleet, inbox: WebhookReceiver) {
  const { seed, forMs, limits, say } = options;
  const random = seededRandom(String(seed));
  say('tenants write their logs');
  const [tenants] = await Promise.all([makeTenants(options, fleet, inbox), startAll(fleet)]);
  const plan = { exports: options.exports, overMs: forMs * orderingShare, hookUrl: inbox.url };
  const orders = planOrders(random, tenants, plan);
  const written = new Map(tenants.slice(0, writers).map((tenant) => [tenant, new Set<string>()]));
  const scene: Scene = { fleet, limits, troubles: [], stops: [], beside: [], say };
  const busy: Busy[] = [
    ...Array.from({ length: readers }, (_, i) => keepReading(fleet.client, orders, random.fork(`reader ${i}`))),
    ...[...written].map(([tenant, ids]) => keepWriting(fleet.client, tenant, ids)),
  ];
  slowDown(fleet.proxy);
  // Of what was asked before anything was disturbed.
  fleet.client.attempts.splice(0);
  const began = performance.now();
  const secondsSince = () => (performance.now() - began) / 1000;
  const [placed] = await Promise.all([placeOrders(fleet.client, orders), disturbAll(scene, random, forMs)]);
  fleet.proxy.calm();
  say('all is calm');
  const disturbed = secondsSince();
  const unsettled = await untilSettled(fleet);
  const all = secondsSince();
  const seen = (await Promise.all(busy.map((each) => each.stop()))).flat();
  const { troubles, stops } = scene;
  const { received } = inbox;
  const history = await readHistory(fleet.pool);
  // What could not be asked for has been told of.
  const made = orders.filter(({ id }) => id !== undefined);
  const evidence: Evidence = { fleet, tenants, orders: made, history, troubles, stops, received, written };
  const mistakes = [...placed, ...unsettled, ...seen, ...(await audit(evidence, say))];
  if (options.keepIn) await keepEvidence(evidence, options.keepIn);
  return { mistakes, figures: figuresOf(evidence, { disturbed, all }) };
}

const startAll = ({ workers }: Fleet) => Promise.all(workers.map((worker) => worker.start()));

/** Two large logs, three of middle size, five small ones; every other tenant has an endpoint. */
function makeTenants(options: ChaosOptions, { client }: Fleet, inbox: WebhookReceiver): Promise<ChaosTenant[]> {
  const sizes = [1, 1, 0.4, 0.4, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1];
  return Promise.all(
    Array.from({ length: tenantCount }, (_, i) =>
      makeTenant(client, {
        name: `tenant ${i + 1}`,
        rows: Math.ceil(options.rows * sizes[i]!),
        hookUrl: i % 2 === 0 ? new URL(`/hook/tenant-${i + 1}`, inbox.url).href : undefined,
      }),
    ),
  );
}

/** Workers, APIs and services at the same time, each by turns. */
const disturbAll = (scene: Scene, random: Random, forMs: number) =>
  Promise.all(
    [workerFaults, apiFaults, serviceFaults].map((faults, i) =>
      disturb(scene, faults, random.fork(`lane ${i}`), forMs),
    ),
  );

/** All audits. Workers are stopped before it is looked at what is left. */
async function audit(evidence: Evidence, say: ChaosOptions['say']): Promise<string[]> {
  const mistakes: string[] = [];
  for (const each of [auditHistory, auditRecoveries, auditMessages, auditFiles, auditLog, auditReplies]) {
    say(each.name);
    mistakes.push(...(await each(evidence)));
  }
  for (const worker of evidence.fleet.workers) {
    const from = Date.now();
    const ending = await worker.stop();
    evidence.stops.push({ member: worker.name, ...ending, from, to: Date.now() });
  }
  for (const each of [auditProcesses, auditRemains]) mistakes.push(...(await each(evidence)));
  return mistakes;
}
