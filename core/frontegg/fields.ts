import { z } from 'zod';
import { AppError } from '../errors.ts';
import { type EventPath, parseEventPath, splitPath } from '../events/event-path.ts';
import { type CellSource, type Column, maxColumns } from '../exports/columns.ts';
import { storable } from '../json/storable.ts';

/** An entry of the table below. `path` stands in the event; null is the same for all rows of a tenant. */
type AuditField = {
  name: string;
  displayName: string;
  type: 'Timestamp' | 'AlphaNumeric' | 'IpAddress' | 'Severity' | 'Json';
  path: string | null;
};

/**
 * The names of Frontegg's audits and where they stand in an event: the one list of them. The first ones are the columns
 * that a table has without being asked. Every other name is a key of `metadata`.
 */
export const auditFields = [
  { name: 'createdAt', displayName: 'Time', type: 'Timestamp', path: 'occurred_at' },
  { name: 'email', displayName: 'User', type: 'AlphaNumeric', path: 'actor.email' },
  { name: 'action', displayName: 'Action', type: 'AlphaNumeric', path: 'action' },
  { name: 'description', displayName: 'Description', type: 'AlphaNumeric', path: 'description' },
  { name: 'ip', displayName: 'IP Address', type: 'IpAddress', path: 'context.ip' },
  { name: 'severity', displayName: 'Severity', type: 'Severity', path: 'severity' },
  { name: 'userAgent', displayName: 'User Agent', type: 'AlphaNumeric', path: 'context.user_agent' },
  { name: 'json', displayName: 'Json Data', type: 'Json', path: 'metadata.json' },
  { name: 'user', displayName: 'User Name', type: 'AlphaNumeric', path: 'actor.name' },
  { name: 'resource', displayName: 'Resource', type: 'AlphaNumeric', path: 'target.type' },
  { name: 'actorId', displayName: 'Actor Id', type: 'AlphaNumeric', path: 'actor.id' },
  { name: 'environmentName', displayName: 'Environment', type: 'AlphaNumeric', path: 'metadata.environmentName' },
  { name: 'updatedAt', displayName: 'Updated', type: 'Timestamp', path: 'received_at' },
  { name: 'frontegg_id', displayName: 'Id', type: 'AlphaNumeric', path: 'id' },
  { name: 'tenantId', displayName: 'Tenant Id', type: 'AlphaNumeric', path: null },
  { name: 'vendorId', displayName: 'Vendor Id', type: 'AlphaNumeric', path: null },
] as const satisfies AuditField[];

export type AuditFieldName = (typeof auditFields)[number]['name'];

/** Columns of a file or a table for which no others are asked. */
export const defaultFields = auditFields.slice(0, 8);

/** What is the same in all rows of one tenant. */
export type AuditConstants = { tenantId: string; vendorId: string };

/**
 * Where the field may stand in an event: a custom name with dots is a key, or a path of keys. Nowhere for `tenantId` and
 * `vendorId`.
 */
export function auditPaths(name: string): EventPath[] {
  const known = auditFields.find((field) => field.name === name);
  if (!known) return customPaths(name);
  if (known.path === null) return [];
  const path = eventPath(known.path);
  return [known.type === 'Timestamp' ? { ...path, digits: 3 } : path];
}

function customPaths(name: string): EventPath[] {
  const metadata = eventPath('metadata');
  const steps = splitPath(name);
  const inside = steps && steps.length > 1 ? [{ ...metadata, steps }] : [];
  return [{ ...metadata, steps: [name] }, ...inside];
}

/**
 * The field as a sort takes it. Names are of letters, digits and `_`, so each is a step of its own.
 */
export const auditSortField = (name: string): string =>
  auditFields.find((field) => field.name === name)?.path ?? `metadata.${name}`;

const storedText = storable(z.string('must be text'));

const property = z.looseObject(
  { name: storedText.min(1, 'must not be empty'), displayName: storedText.nullish() },
  'must be {"name", "displayName"}',
);

/** What asks for an export of audits: its columns. Whole column objects of a portal will do. */
export const auditExportSchema = z.looseObject(
  {
    properties: z
      .array(property, 'must be a list of {"name", "displayName"}')
      .max(maxColumns, `must have at most ${maxColumns} columns`)
      .nullish(),
  },
  'must be a JSON object',
);

/** The columns that are asked for; without any, the default ones. */
export function auditColumns({ properties }: z.output<typeof auditExportSchema>, constants: AuditConstants): Column[] {
  const columns: { name: string; displayName?: string | null }[] = properties?.length ? properties : defaultFields;
  return columns.map(({ name, displayName }) => ({ title: displayName || name, source: sourceOf(name, constants) }));
}

function sourceOf(name: string, constants: AuditConstants): CellSource {
  const [path, otherwise] = auditPaths(name);
  return path ? { ...path, otherwise } : { constant: constants[name as keyof AuditConstants] };
}

function eventPath(text: string): EventPath {
  const path = parseEventPath(text);
  if ('error' in path) throw new AppError('server_error', path.error);
  return path;
}
