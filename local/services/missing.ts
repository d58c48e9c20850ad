/** Why a service cannot be had, in words. */
export type Missing = { missing: string };

export const isMissing = (found: unknown): found is Missing =>
  typeof found === 'object' && found !== null && 'missing' in found;
