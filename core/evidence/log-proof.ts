/**
 * The proof that an entry is in the log, for whoever has its verifier key and nothing else (c2sp.org/tlog-proof).
 * @param index of the entry, from 0
 * @param hashes from its sibling up
 * @param checkpoint the signed note of the tree
 */
export const logProof = ({
  index,
  hashes,
  checkpoint,
}: {
  index: number;
  hashes: readonly Buffer[];
  checkpoint: string;
}) =>
  ['c2sp.org/tlog-proof@v1', `index ${index}`, ...hashes.map((hash) => hash.toString('base64')), '', checkpoint].join(
    '\n',
  );
