import { z } from 'zod';
import { unknownName } from './nearest-name.ts';

/** A strict object whose message names the unknown member and the nearest known one. */
export const strictObject = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownName('member', String(issue.keys?.[0]), Object.keys(shape))
        : 'must be a JSON object',
  });

/** An enumeration whose message lists what is allowed and names what was probably meant. */
export const oneOf = <const T extends readonly [string, ...string[]]>(kind: string, names: T) =>
  z.enum(names, {
    error: ({ input }) =>
      input === undefined
        ? `is required. Allowed: ${names.join(', ')}`
        : unknownName(kind, typeof input === 'string' ? input : JSON.stringify(input), names),
  });
