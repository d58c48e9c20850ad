/**
 * The parts into which an event is cut, each committed to by itself, so that one can be left out or erased and the rest is
 * still proven (docs/verify.md). The order is part of the rule; which member is in which, core/events/members.ts says.
 */
export const compartments = ['what', 'actor', 'person', 'context', 'target', 'detail'] as const;
export type Compartment = (typeof compartments)[number];

/** Something for each compartment, in their order. */
export type OfEach<T> = readonly [what: T, actor: T, person: T, context: T, target: T, detail: T];
