import { type CellSource, type Column, maxColumns } from '../columns.ts';
import { AppError, type FieldError, invalid } from '../errors.ts';
import { type EventPath, parseEventPath, splitPath } from '../event-path.ts';
import { findUnstorableText } from '../json.ts';

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
 * The same as the text that a sort takes. Names are of letters, digits and `_`, so each is a step of its own.
 */
export const auditSortField = (name: string): string =>
  auditFields.find((field) => field.name === name)?.path ?? `metadata.${name}`;

/**
 * The columns that `properties` asks for: `[{name, displayName}]`, with whatever else the client's column objects have.
 * Without any, the default ones.
 * @throws AppError validation_error
 */
export function auditColumns(properties: unknown, constants: AuditConstants): Column[] {
  const asked = properties ?? [];
  if (!Array.isArray(asked))
    throw invalid([{ path: 'properties', message: 'must be a list of {"name", "displayName"}' }]);
  if (asked.length > maxColumns)
    throw invalid([{ path: 'properties', message: `must have at most ${maxColumns} columns` }]);
  const errors = asked.flatMap(mistakesIn);
  if (errors.length > 0) throw invalid(errors);
  const columns: { name: string; displayName?: string | null }[] = asked.length > 0 ? asked : defaultFields;
  return columns.map(({ name, displayName }) => ({ title: displayName || name, source: sourceOf(name, constants) }));
}

function mistakesIn(property: unknown, index: number): FieldError[] {
  const { name, displayName } = Object(property) as Record<string, unknown>;
  const path = `properties.${index}`;
  if (typeof name !== 'string' || name === '')
    return [{ path: `${path}.name`, message: 'must be text, and not empty' }];
  if (displayName != null && typeof displayName !== 'string')
    return [{ path: `${path}.displayName`, message: 'must be text' }];
  const unstorable =
    findUnstorableText(name, `${path}.name`) ?? findUnstorableText(displayName ?? '', `${path}.displayName`);
  return unstorable ? [unstorable] : [];
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
