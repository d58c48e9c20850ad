import leven from 'leven';

/**
 * The entry of `names` nearest to `name` by edit distance, if it is near enough to be what was meant.
 * @param most edits between the two; by default as many as the length of the name allows
 */
export function nearestName(name: string, names: readonly string[], most = mostEdits(name)): string | undefined {
  let best: string | undefined;
  let bestDistance = most + 1;
  for (const candidate of names) {
    const distance = leven(beginningOf(name), beginningOf(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** A short name is near to everything. */
const mostEdits = ({ length }: string): number => Math.max(Math.min(2, Math.floor(length / 2)), Math.floor(length / 3));

/** `“sevrity” is not known; did you mean “severity”? Allowed: …` */
export function unknownName(kind: string, name: string, names: readonly string[]): string {
  const near = nearestName(name, names);
  return `unknown ${kind} "${name.slice(0, 80).toWellFormed()}"${near ? `, did you mean "${near}"?` : '.'} Allowed: ${names.join(', ')}`;
}

/** Long names are cut: they come from the outside. */
const beginningOf = (name: string): string => name.slice(0, 64).toLowerCase();
