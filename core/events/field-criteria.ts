import type { EventPath } from './event-path.ts';
import type { Filter, Operator, Scalar } from './filter.ts';

/**
 * A condition on one field, or on any of several. Operands are of the field's type already: times are Timestamps,
 * severities are Severities. `$is` is what a query string can say of a value whose type it cannot name: its text is one of
 * these.
 */
export type FieldCriteria = {
  anyOf: readonly EventPath[];
  operator: Operator | '$is';
  operand: Scalar | readonly Scalar[];
};

/** The filter of /v1, and what other APIs ask of single fields beyond it. All of both must hold. */
export type RowFilter = Filter & { fields?: readonly FieldCriteria[] };
