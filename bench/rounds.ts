/** What one run of a contender measured: figures by name, seconds unless the name says otherwise. */
export type Sample = Record<string, number>;

/** Contenders by name, each of which runs once when called. */
export type Contenders<Name extends string> = Record<Name, () => Promise<Sample>>;

/** All that the rounds gave: a list for each figure of each contender. */
export type Samples<Name extends string> = Record<Name, Sample[]>;

/**
 * Lets contenders take turns, A B C A B C, so that what else the machine does weighs on all of them. The first round only
 * warms up, and is left out; a single round is its own.
 */
export async function takeTurns<Name extends string>(
  contenders: Contenders<Name>,
  { rounds, warmUp = true, signal }: { rounds: number; warmUp?: boolean; signal: AbortSignal },
): Promise<Samples<Name>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as Sample[]])) as Samples<Name>;
  for (let round = warmUp && rounds > 1 ? 0 : 1; round <= rounds; round++) {
    for (const name of names) {
      signal.throwIfAborted();
      const sample = await contenders[name]();
      if (round > 0) samples[name].push(sample);
    }
  }
  return samples;
}

/** One figure of all rounds. */
export const figures = (samples: readonly Sample[], name: string): number[] =>
  samples.map((sample) => sample[name] ?? Number.NaN);
