/** How often each thing happened: a status, or what else became of a request. */
export type Tally = Map<string, number>;

export const count = (tally: Tally, what: string | number): void =>
  void tally.set(String(what), (tally.get(String(what)) ?? 0) + 1);

/** Milliseconds that one request of an attacker may take: what is waited for has ended long before. */
const patienceMs = 60_000;

/**
 * Sends one request after the other on so many connections at a time, until `signal` is aborted. What comes back is counted, and
 * replies are read to their end.
 */
export async function flood(
  { signal, tally }: { signal: AbortSignal; tally: Tally },
  connections: number,
  ask: (signal: AbortSignal) => Promise<Response>,
): Promise<void> {
  const one = async () => {
    while (!signal.aborted) {
      try {
        const reply = await ask(AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
        for await (const _ of reply.body ?? []);
        count(tally, reply.status);
      } catch {
        if (!signal.aborted) count(tally, 'cut');
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
}

/** Ends when the signal is aborted. */
export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
