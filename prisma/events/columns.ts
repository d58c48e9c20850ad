import type { EventColumns } from '../../core/events/event-columns.ts';
import { contextCopies, eventLeaves, type FieldType, type Leaf } from '../../core/events/members.ts';

const sqlTypes: Record<FieldType, string> = {
  uuid: 'uuid',
  integer: 'bigint',
  time: 'timestamptz',
  severity: 'severity',
  text: 'text',
  json: 'json',
  hash: 'bytea',
};

/**
 * Columns of events that a new event brings along: name and type. The sequence number, the tenant and the hashes are added
 * on the way.
 */
export const newEventColumns = [...eventLeaves.filter((leaf) => !leaf.chained && !leaf.repeats), ...contextCopies].map(
  ({ column, type }: Leaf) => [column as keyof EventColumns, sqlTypes[type]] as const,
);

/** Their names, as a list of SQL. */
export const newEventNames = newEventColumns.map(([name]) => name).join(', ');
