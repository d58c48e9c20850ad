import { TooLateError } from './within.ts';

/**
 * Runs at most `most` works at a time, and of those of one key at most `mostOfOne`; further ones wait in the order in which
 * they came, past those whose key has its share. So one client's slow works leave room for others.
 * @param options.waitMs milliseconds that one waits at most, and then fails with TooLateError; without end by default
 */
export function sharedSlots(
  most: number,
  mostOfOne: number,
  { waitMs = Infinity } = {},
): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const running: string[] = [];
  const waiting: { key: string; begin: () => void }[] = [];
  const mayBegin = (key: string) => running.length < most && running.filter((one) => one === key).length < mostOfOne;
  const beginNext = () => {
    const index = waiting.findIndex(({ key }) => mayBegin(key));
    const [next] = index < 0 ? [] : waiting.splice(index, 1);
    if (!next) return;
    running.push(next.key);
    next.begin();
  };
  return async (key, work) => {
    await new Promise<void>((begin, giveUp) => {
      const entry = { key, begin };
      waiting.push(entry);
      beginNext();
      if (waitMs === Infinity || !waiting.includes(entry)) return;
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(entry), 1);
        giveUp(new TooLateError('a free slot', waitMs));
      }, waitMs);
      entry.begin = () => {
        clearTimeout(timer);
        begin();
      };
    });
    try {
      return await work();
    } finally {
      running.splice(running.indexOf(key), 1);
      beginNext();
    }
  };
}
