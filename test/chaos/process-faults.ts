import { setTimeout as wait } from 'node:timers/promises';
import { exportIdOfKey } from '../../core/exports/stored-file.ts';
import { type Member, runsOf } from './fleet-member.ts';
import type { Random } from './random-numbers.ts';
import { beside, during, type Fault, type Scene } from './scene.ts';

/** Milliseconds. */
const limits = {
  /** A process that was killed is started again by then. */
  gone: 2_000,
  /** For a worker to have something to do, and then to get on with it. */
  untilBusy: 5_000,
  busy: 1_500,
  /** A call to S3 may take so long, or longer. */
  call: 60,
};

/** What happens to workers. */
export const workerFaults: Fault[] = [
  {
    name: 'kill a worker',
    run: async (scene, random) => killAll(scene, [await pickBusy(scene, random)], random),
  },
  {
    name: 'kill half of the workers',
    run: async (scene, random) => killAll(scene, half(await serving(scene.fleet.workers), random), random),
  },
  {
    name: 'stop a worker',
    run: async (scene, random) => beside(scene, restart(scene, await pickBusy(scene, random))),
  },
  {
    name: 'stop one worker after the other',
    async run(scene) {
      for (const worker of await serving(scene.fleet.workers)) await restart(scene, worker);
    },
  },
  {
    name: 'kill a worker at a call to S3',
    run: async (scene, random) => killAll(scene, [await pickCaller(scene, random)], random),
  },
  {
    name: 'freeze a worker at a call to S3',
    async run(scene, random) {
      const worker = await pickCaller(scene, random);
      const forMs = Number(scene.fleet.environment.LOGFERRY_LEASE_SECONDS) * 1000 + random.integer(500, 4_000);
      beside(
        scene,
        during(scene, { fault: 'frozen', of: worker.name }, () => worker.freeze(forMs)),
      );
    },
  },
];

/** What happens to APIs, as long as another one serves. */
export const apiFaults: Fault[] = [
  {
    name: 'kill an API',
    run: async (scene, random) => killAll(scene, [random.pick(await serving(scene.fleet.apis, 2))], random),
  },
  {
    name: 'stop an API',
    run: async (scene, random) => beside(scene, restart(scene, random.pick(await serving(scene.fleet.apis, 2)))),
  },
  {
    name: 'freeze an API',
    async run(scene, random) {
      const api = random.pick(await serving(scene.fleet.apis, 2));
      const forMs = random.integer(500, scene.limits.frozenMs);
      beside(
        scene,
        during(scene, { fault: 'frozen', of: api.name }, () => api.freeze(forMs)),
      );
    },
  },
];

/** Those that nothing is being done to, once there are so many. */
async function serving(members: Member[], atLeast = 1): Promise<Member[]> {
  for (;;) {
    const found = members.filter((member) => member.isServing());
    if (found.length >= atLeast) return found;
    await wait(100);
  }
}

const half = (members: Member[], random: Random): Member[] => {
  const first = random.integer(0, members.length - 1);
  return members.map((_, i) => members[(first + i) % members.length]!).slice(0, Math.ceil(members.length / 2));
};

/** A worker that has been at an export for a moment; any, if none of them has one for some seconds. */
async function pickBusy({ fleet }: Scene, random: Random): Promise<Member> {
  const deadline = Date.now() + limits.untilBusy;
  for (;;) {
    const running = await runningNow(fleet.pool);
    const candidates = await serving(fleet.workers);
    const busy = candidates.filter((worker) => runsOf(worker.current()).some((run) => running.has(run)));
    if (busy.length > 0) await wait(random.integer(0, limits.busy));
    const still = busy.filter((worker) => worker.isServing());
    if (still.length > 0) return random.pick(still);
    if (Date.now() > deadline) return random.pick(await serving(fleet.workers));
    await wait(100);
  }
}

/** A worker that has just asked something of S3, which may have been done or not, and written down or not. */
async function pickCaller(scene: Scene, random: Random): Promise<Member> {
  const { proxy, s3Requests, workers } = scene.fleet;
  const call = random.pick(['begin', 'part', 'complete', 'complete'] as const);
  const asked = proxy.next(call).then(() => exportIdOfKey(s3Requests.all.at(-1)!.key));
  const exportId = await Promise.race([asked, wait(limits.untilBusy)]);
  await wait(random.integer(0, limits.call));
  const has = (worker: Member) => runsOf(worker.current()).some((run) => run.startsWith(`${exportId} `));
  // One that had it before and still lives has lost it: it is frozen, or was taken for dead.
  const caller = exportId && workers.findLast((worker) => worker.isServing() && has(worker));
  return caller || pickBusy(scene, random);
}

/** Exports with their epochs, as written by runsOf(). None while the database is away. */
async function runningNow(pool: Scene['fleet']['pool']): Promise<Set<string>> {
  const text = `select id || ' ' || epoch as run from exports where status = 'running'`;
  const { rows } = await pool.query<{ run: string }>(text).catch(() => ({ rows: [] }));
  return new Set(rows.map(({ run }) => run));
}

/** All at once. They come back by and by. */
function killAll(scene: Scene, members: Member[], random: Random): void {
  const goneMs = random.integer(0, limits.gone);
  for (const member of members) {
    const killed = during(scene, { fault: 'killed', of: member.name }, async () => {
      await member.kill();
      await wait(goneMs);
      await member.start();
    });
    beside(scene, killed);
  }
}

const restart = (scene: Scene, member: Member): Promise<void> =>
  during(scene, { fault: 'stopped', of: member.name }, async () => {
    const from = Date.now();
    const { how, afterMs } = await member.stop();
    scene.stops.push({ member: member.name, how, afterMs, from, to: Date.now() });
    await member.start();
  });
