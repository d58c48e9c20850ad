import type { Attack } from '../attack.ts';
import { bodies } from './bodies.ts';
import { exports } from './exports.ts';
import { json } from './json.ts';
import { reads } from './reads.ts';
import { strangers } from './strangers.ts';
import { streams } from './streams.ts';
import { unreadReplies } from './unread.ts';

/**
 * In the order in which they are tried: each finds what those before have left. Strangers come last: after them, what the process
 * has not accepted lately is refused for a minute.
 */
export const attacks: readonly Attack[] = [
  ...bodies,
  ...json,
  ...reads,
  ...streams,
  ...unreadReplies,
  ...exports,
  ...strangers,
];
