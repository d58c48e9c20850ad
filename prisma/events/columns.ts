import type { EventColumns } from '../../core/events/event-columns.ts';
import { contextCopies, eventLeaves, type FieldType, type Value } from '../../core/events/members.ts';

const sqlTypes: Record<FieldType, string> = {
  uuid: 'uuid',
  integer: 'bigint',
  time: 'timestamptz',
  severity: 'severity',
  text: 'text',
  json: 'json',
  hash: 'bytea',
  proof: 'bytea',
};

/**
 * Columns of events that a new event brings along: name and type. The sequence number, the tenant, the seed and the hashes
 * are added on the way.
 */
export const newEventColumns = [...eventLeaves.filter(({ compartment }) => compartment), ...contextCopies].map(
  ({ column, type }: Value) => [column as keyof EventColumns, sqlTypes[type]] as const,
);

/** Their names, as a list of SQL. */
export const newEventNames = newEventColumns.map(([name]) => name).join(', ');
