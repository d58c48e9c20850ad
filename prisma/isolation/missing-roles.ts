import { isUsable, type RoleState } from './role-states.ts';
import type { RoleKind } from './roles.ts';

const reasons: [holds: (state: RoleState) => boolean, reason: string][] = [
  [({ exists }) => !exists, 'does not exist'],
  [({ maySet }) => !maySet, 'is not one that our role can become'],
  [({ isSuperuser }) => isSuperuser, 'is a superuser'],
  [
    ({ kind, bypassesPolicies }) => kind === 'ingest' && !bypassesPolicies,
    'does not bypass row-level security, which COPY needs',
  ],
  [({ kind, bypassesPolicies }) => kind !== 'ingest' && bypassesPolicies, 'bypasses row-level security'],
  [({ isGranted, isHeld }) => !isGranted || !isHeld, 'lacks its privileges or policies'],
];

/** Why statements cannot run as it. */
export const whyUnusable = (state: RoleState): string =>
  `the role "${state.name}" ${reasons.find(([holds]) => holds(state))?.[1] ?? 'is usable'}`;

/** What goes on as our own role where this one cannot be used. */
export const withoutRole: Readonly<Record<RoleKind, string>> = {
  reader: 'Events are read without row-level security',
  lists: 'Lists and figures of several tenants are read without row-level security',
  ingest: 'Events are written by a role that can read them',
};

/** One line for each role that cannot be used. */
export const missingRoles = (states: readonly RoleState[]): string[] =>
  states.filter((state) => !isUsable(state)).map((state) => `${withoutRole[state.kind]}: ${whyUnusable(state)}.`);
