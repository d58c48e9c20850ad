import { AppError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { type MemoryKind, memoryKinds, type Share } from './memory.ts';

/** The memory that is held for one request, delivery or stream. */
export type Holding = {
  /**
   * Holds memory for so many more bytes; to be called before they are there. Waits for others to end, `waitMs` at most.
   *
   * Fails with AppError unavailable and `Retry-After`; nothing more is held then. The oldest holding of a share is never
   * refused on its account: a request alone may take all that its own limits allow, and of many one always comes to its end.
   */
  take(kind: MemoryKind, bytes: number, waitMs?: number): Promise<void>;
  /** Holds memory for bytes that are there already: nobody is asked, but others may be refused for it. */
  note(kind: MemoryKind, bytes: number): void;
  /** Gives so many bytes back. */
  give(kind: MemoryKind, bytes: number): void;
  /** Gives all of a kind back. */
  giveAll(kind: MemoryKind): void;
  /** Has what waits, and what asks from now on, fail: nobody waits for it any more. What is held stays, as it is in use. */
  close(): void;
  /** Gives everything back. What is waiting fails. */
  end(): void;
};

/** The bytes that one process may hold for clients, and how they are shared. */
export type ByteBudget = {
  limitBytes: number;
  /** Opens a holding that counts against these shares, and against the whole. */
  open(shares: readonly Share[]): Holding;
};

/** Milliseconds that a request waits for memory, unless it says otherwise. */
const usualWaitMs = 5_000;
/** Seconds after which one that got none should try again. */
const retryAfterSeconds = 5;

/** One share as it is used. `holders` are those that hold anything, in the order in which they began to. */
type Account = Share & { bytes: number; holders: Set<Holder>; opened: number };
/** A holding as the budget sees it. `held` is all of it as memory. */
type Holder = {
  accounts: Account[];
  bytes: Record<MemoryKind, number>;
  held: number;
  isClosed: boolean;
  isOver: boolean;
};
type Waiting = { holder: Holder; kind: MemoryKind; bytes: number; begin(): void; giveUp(error: AppError): void };

/** Makes a budget, which tells the metrics how it is used. */
export function openByteBudget(limitBytes: number, metrics: Metrics): ByteBudget {
  const accounts = new Map<string, Account>();
  const waiting = new Set<Waiting>();
  const whole = accountOf({ name: 'all', mostBytes: limitBytes });
  // One process may have two: that of its API and that of its worker.
  metrics.add('logferry_memory_limit_bytes', limitBytes);

  function accountOf(share: Share): Account {
    const account = accounts.get(share.name) ?? newAccount(share);
    accounts.set(share.name, account);
    account.opened++;
    return account;
  }

  function move(holder: Holder, kind: MemoryKind, bytes: number): void {
    const held = bytes * memoryKinds[kind].heldPerByte;
    holder.bytes[kind] += bytes;
    holder.held += held;
    for (const account of holder.accounts) {
      account.bytes += held;
      if (holder.held > 0) account.holders.add(holder);
      else account.holders.delete(holder);
    }
    metrics.add('logferry_memory_held_bytes', held, { kind });
  }

  /** Whoever waits takes what has become free, in the order in which they came. */
  function letIn(): void {
    for (const each of waiting) {
      if (fullFor(each.holder, each.kind, each.bytes)) continue;
      waiting.delete(each);
      move(each.holder, each.kind, each.bytes);
      each.begin();
    }
  }

  function wait(holder: Holder, { kind, bytes, waitMs }: { kind: MemoryKind; bytes: number; waitMs: number }) {
    return new Promise<void>((resolve, reject) => {
      const settle = (end: () => void) => () => {
        clearTimeout(timer);
        waiting.delete(entry);
        end();
      };
      const refuse = () => {
        metrics.add('logferry_memory_refused_total', 1, { kind });
        reject(refusal(fullFor(holder, kind, bytes) ?? whole, whole));
      };
      const timer = setTimeout(() => settle(refuse)(), waitMs);
      const entry: Waiting = {
        holder,
        kind,
        bytes,
        begin: settle(resolve),
        giveUp: (error) => settle(() => reject(error))(),
      };
      waiting.add(entry);
    });
  }

  function end(holder: Holder): void {
    if (holder.isOver) return;
    holder.isOver = true;
    for (const kind of kinds) move(holder, kind, -holder.bytes[kind]);
    for (const account of holder.accounts) if (--account.opened === 0) accounts.delete(account.name);
    close(holder);
    letIn();
  }

  function close(holder: Holder): void {
    holder.isClosed = true;
    for (const each of waiting) if (each.holder === holder) each.giveUp(ended());
  }

  return {
    limitBytes,
    open(shares) {
      const holder: Holder = {
        accounts: [whole, ...shares.map(accountOf)],
        bytes: nothing(),
        held: 0,
        isClosed: false,
        isOver: false,
      };
      const give = (kind: MemoryKind, bytes: number) => {
        if (holder.isOver || bytes === 0) return;
        move(holder, kind, -bytes);
        letIn();
      };
      return {
        async take(kind, bytes, waitMs = usualWaitMs) {
          if (holder.isClosed) throw ended();
          if (fullFor(holder, kind, bytes)) await wait(holder, { kind, bytes, waitMs });
          else move(holder, kind, bytes);
        },
        note(kind, bytes) {
          if (!holder.isOver) move(holder, kind, bytes);
        },
        give,
        giveAll: (kind) => give(kind, holder.bytes[kind]),
        close: () => close(holder),
        end: () => end(holder),
      };
    },
  };
}

const kinds = Object.keys(memoryKinds) as MemoryKind[];
const nothing = () => Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<MemoryKind, number>;

const newAccount = (share: Share): Account => ({ ...share, bytes: 0, holders: new Set(), opened: 0 });

/** The account in which there is no room for so many bytes more, if there is one. */
function fullFor(holder: Holder, kind: MemoryKind, bytes: number): Account | undefined {
  const held = bytes * memoryKinds[kind].heldPerByte;
  return holder.accounts.find(({ bytes: taken, mostBytes, holders }) => {
    const oldest = holders.values().next().value ?? holder;
    return taken + held > mostBytes && oldest !== holder;
  });
}

function refusal(full: Account, whole: Account): AppError {
  const mebibytes = Math.round(full.mostBytes / 2 ** 20);
  const message =
    full === whole
      ? `The requests and replies under way take all the memory that this process has for them (${mebibytes} MiB). Try again in a few seconds.`
      : `Your requests and replies under way take all the memory that you may have in this process (${mebibytes} MiB). Send fewer or smaller ones at a time, and read their replies.`;
  return new AppError('unavailable', message, { headers: { 'Retry-After': `${retryAfterSeconds}` } });
}

const ended = (): AppError => new AppError('bad_request', 'The request ended before it was answered.');
