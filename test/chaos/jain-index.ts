/** (Σx)² / (n · Σx²): 1 when all have the same, 1/n when one has everything (Jain, Chiu and Hawe, 1984). */
export const jainIndex = (shares: readonly number[]): number => {
  const sum = shares.reduce((a, b) => a + b, 0);
  return sum ** 2 / (shares.length * shares.reduce((squares, share) => squares + share ** 2, 0));
};
