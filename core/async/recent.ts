import { keepNewest } from './keep-newest.ts';

/** Values by key, kept for a short while. */
export type Recent<V> = {
  /** The value as it was at most `maxAgeMs` ago. Calls that come while it is being loaded share one load. */
  get(key: string): Promise<V | undefined>;
  /** Drops everything: the next get loads. For those who have just changed what is kept. */
  forget(): void;
};

type Entry<V> = { at: number; value: Promise<V | undefined> };

/**
 * Keeps what `load` gives for `maxAgeMs`. What was found and what was not are kept apart, each at most `most` entries and
 * the oldest dropped first, so that a flood of made-up keys pushes no good one out. Failed loads are not kept.
 */
export function keepRecent<V>(
  load: (key: string) => Promise<V | undefined>,
  { maxAgeMs, most = 10_000, keepMissing = true, clock = Date.now as () => number }: RecentOptions,
): Recent<V> {
  const found = new Map<string, Entry<V>>();
  const missing = new Map<string, Entry<V>>();

  function fresh(entries: Map<string, Entry<V>>, key: string): Entry<V> | undefined {
    const entry = entries.get(key);
    return entry && clock() - entry.at < maxAgeMs ? entry : undefined;
  }
  return {
    async get(key) {
      const known = fresh(found, key) ?? fresh(missing, key);
      if (known) return known.value;
      // The age counts from before the load: what changes meanwhile may or may not be in it.
      const entry: Entry<V> = { at: clock(), value: load(key) };
      keepNewest(found, key, entry, most);
      try {
        const value = await entry.value;
        if (value === undefined && found.get(key) === entry) {
          found.delete(key);
          if (keepMissing) keepNewest(missing, key, entry, most);
        }
        return value;
      } catch (error) {
        if (found.get(key) === entry) found.delete(key);
        throw error;
      }
    },
    forget() {
      found.clear();
      missing.clear();
    },
  };
}

type RecentOptions = {
  maxAgeMs: number;
  most?: number;
  /** Whether a missing one is remembered as missing. */
  keepMissing?: boolean;
  /** Milliseconds, for tests. */
  clock?: () => number;
};
