import type { z } from 'zod';
import type { FieldError } from './errors.ts';

/** The mistakes that an issue of zod stands for: one for each unknown member, at its own path. */
export function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  // The schema's message is about the first unknown member and names the one that was probably meant.
  return issue.keys.map((key, index) => ({
    path: [path, key].filter(Boolean).join('.'),
    message: index === 0 ? issue.message : `unknown member "${key.slice(0, 80)}"`,
  }));
}
