import type { Socket } from 'node:net';
import type { Tally } from './flood.ts';
import type { Target } from './target.ts';

/** What an attack works with. It ends, and gives back what it holds, once `signal` is aborted. */
export type Stage = {
  target: Target;
  signal: AbortSignal;
  /** Statuses of the replies that the attacker got, and connections that were cut. */
  tally: Tally;
  /** Sockets that are destroyed when the attack has ended. */
  sockets: Set<Socket>;
};

export type Attack = {
  /** What is done. */
  name: string;
  /** What keeps it from hurting others. */
  bound: string;
  /** Done by `npm test`, too. */
  isShort?: boolean;
  /** Statuses that the attacker must not get: it is refused with a reason, and nothing of ours breaks. */
  run(stage: Stage): Promise<void>;
};
