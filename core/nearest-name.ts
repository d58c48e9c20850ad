/** The entry of `names` nearest to `name` by edit distance, if it is near enough to be what was meant. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  // A short name is near to everything.
  let bestDistance = Math.max(Math.min(2, Math.floor(name.length / 2)), Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `“sevrity” is not known; did you mean “severity”? Allowed: …` */
export function unknownName(kind: string, name: string, names: readonly string[]): string {
  const near = nearestName(name, names);
  return `unknown ${kind} "${name.slice(0, 80).toWellFormed()}"${near ? `, did you mean "${near}"?` : '.'} Allowed: ${names.join(', ')}`;
}

/** Levenshtein distance. Long names are cut: they come from the outside. */
function editDistance(a: string, b: string): number {
  const left = a.slice(0, 64);
  const right = b.slice(0, 64);
  let row = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substitution = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, substitution);
    }
    row = next;
  }
  return row[right.length]!;
}
