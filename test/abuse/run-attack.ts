import type { Attack, Stage } from './attack.ts';
import { destroyAll } from './sockets.ts';
import type { Target } from './target.ts';
import type { Bystander, Experience } from './watch-bystander.ts';

/** What an attack came to. */
export type Outcome = {
  attack: string;
  bound: string;
  /** What the bystander met with while it went on. */
  bystander: Experience;
  /** The most memory of the processes meanwhile, in MiB. */
  peaks: { api: number; worker: number };
  /** Replies to the attacker, by status. */
  attacker: Record<string, number>;
  /** Milliseconds until the bystander's requests were quick again. */
  recoveredAfterMs: number;
};

/** A bystander's request that takes no longer is quick. */
const quickMs = 500;
/** So many in a row must be quick until all is as before. */
const quickInARow = 14;

/** Lets the attack go on for so long beside the bystander, and waits until all is as before. */
export async function runAttack(
  { target, bystander }: { target: Target; bystander: Bystander },
  { name, bound, run }: Attack,
  forMs: number,
): Promise<Outcome> {
  const ending = new AbortController();
  const stage: Stage = { target, signal: ending.signal, tally: new Map(), sockets: new Set() };
  target.peaks();
  bystander.begin();
  const timer = setTimeout(() => ending.abort(), forMs);
  try {
    await run(stage);
  } catch (error) {
    if (!ending.signal.aborted) throw new Error(`The attack itself failed: ${name}`, { cause: error });
  } finally {
    clearTimeout(timer);
    ending.abort();
    destroyAll(stage.sockets);
  }
  const ended = performance.now();
  await untilQuick(bystander);
  return {
    attack: name,
    bound,
    bystander: bystander.experience(),
    peaks: target.peaks(),
    attacker: Object.fromEntries(stage.tally),
    recoveredAfterMs: Math.round(performance.now() - ended),
  };
}

async function untilQuick(bystander: Bystander): Promise<void> {
  for (let inARow = 0; inARow < quickInARow; ) {
    const [{ what, ms, status }] = (await bystander.next(1)) as [Awaited<ReturnType<Bystander['next']>>[number]];
    if (what === 'export') continue;
    inARow = ms < quickMs && status < 500 ? inARow + 1 : 0;
  }
}
