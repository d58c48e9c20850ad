/** What several rounds gave: the middle one, and how far they lie apart. */
export type Spread = { median: number; least: number; most: number; rounds: number };

/** The value below which so many of a hundred lie. NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = Math.ceil((percent / 100) * sorted.length) - 1;
  return sorted[Math.max(0, place)] ?? Number.NaN;
}

/** The mean of the two in the middle where the number is even. NaN of nothing, and where a value is NaN. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2;
  if (values.length === 0 || values.some(Number.isNaN)) {
    return { median: Number.NaN, least: Number.NaN, most: Number.NaN, rounds: values.length };
  }
  return { median, least: sorted[0]!, most: sorted.at(-1)!, rounds: values.length };
}

/** One figure against another, round by round: machines drift, and what was measured at the same time drifts alike. */
export const ratioOf = (values: readonly number[], to: readonly number[]): Spread => ({
  ...spreadOf(values.map((value, round) => value / to[round]!)),
  median: spreadOf(values).median / spreadOf(to).median,
});
