import { type Compartment, compartments, type OfEach } from './compartments.ts';
import { commitmentOf, saltBytes, saltsOf } from './digest.ts';

/** The member `proof` of an event of which nothing was erased. */
export const seedProof = (seed: Buffer): string => `{"seed":"${seed.toString('base64url')}"}`;

/**
 * The member `proof` of an event of which something was erased, as it is stored in events.erased and shown: hex salts of the
 * compartments that are left, hex commitments of the others. Each compartment is in one of the two, in their order.
 */
export type ErasedProof = {
  salts: { [C in Compartment]?: string };
  erased: { [C in Compartment]?: string };
};

/** What the digest of a stored event is made with: exactly one of the two is there. */
export type StoredProof = { seed: Buffer; erased: null } | { seed: null; erased: ErasedProof };

/** The salts of a stored event; undefined for erased compartments. Copies. */
function saltsLeft({ seed, erased }: StoredProof): OfEach<Buffer | undefined> {
  const all = seed && saltsOf(seed);
  return compartments.map((name, index) => {
    if (all) return Buffer.from(all.subarray(saltBytes * index, saltBytes * (index + 1)));
    const salt = erased!.salts[name];
    return salt === undefined ? undefined : Buffer.from(salt, 'hex');
  }) as unknown as OfEach<Buffer | undefined>;
}

/**
 * What an erasure must write into events.erased, as JSON text. With it, in one statement, it sets `seed` to null and empties
 * the columns of the compartments: null, `context` `{"ip":null,"user_agent":null}` (and both columns beside it null),
 * `metadata` `{}`. Chain, hashes and numbers stay. A compartment that is erased already stays as it is.
 * @param canonical the compartments before the erasure (core/events/event-text.ts); of erased ones any text
 */
export function proofWithout(
  erasing: readonly Compartment[],
  { proof, canonical }: { proof: StoredProof; canonical: OfEach<string> },
): ErasedProof {
  const left: ErasedProof = { salts: {}, erased: {} };
  for (const [index, salt] of saltsLeft(proof).entries()) {
    const name = compartments[index]!;
    if (!salt) left.erased[name] = proof.erased!.erased[name]!;
    else if (erasing.includes(name)) left.erased[name] = commitmentOf(index, salt, canonical[index]!).toString('hex');
    else left.salts[name] = salt.toString('hex');
  }
  return left;
}

/** The six commitments of a stored event: made anew of what is there, and as stored of what was erased. */
export function commitmentsOf(proof: StoredProof, canonical: OfEach<string>): OfEach<Buffer> {
  const salts = saltsLeft(proof);
  return compartments.map((name, index) => {
    const salt = salts[index];
    return salt ? commitmentOf(index, salt, canonical[index]!) : Buffer.from(proof.erased!.erased[name]!, 'hex');
  }) as unknown as OfEach<Buffer>;
}
