import { z } from 'zod';
import { type EventPath, eventPathPattern, parseEventPath } from '../events/event-path.ts';
import { eventFields } from '../events/events.ts';
import { storable } from '../json/storable.ts';
import { unknownName } from '../nearest-name.ts';

/** Columns one export may have. */
export const maxColumns = 100;

const propertyMembers = ['name', 'displayName'];

const property = z.strictObject(
  {
    name: z
      .string({ error: 'must be a path into the event, as text' })
      .superRefine((name, context) => {
        const path = parseEventPath(name);
        if ('error' in path) context.addIssue({ code: 'custom', message: path.error });
      })
      .meta({ pattern: eventPathPattern, description: 'A field, or a path inside a free-form one' }),
    displayName: storable(
      z.string({ error: 'must be text' }).min(1, 'must not be empty').max(256, 'must have at most 256 characters'),
    )
      .meta({ description: 'The title, `name` when left out; no two may be the same' })
      .optional(),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownName('member', String(issue.keys?.[0]), propertyMembers)
        : 'must be an object {"name": …, "displayName": …}',
  },
);

/** The column list of an export: order kept, at most 100, no display name twice. Empty is the same as left out. */
export const propertiesSchema = z
  .array(property, { error: 'must be a list of {"name": …, "displayName": …}' })
  .max(maxColumns, `must have at most ${maxColumns} columns`)
  .superRefine((properties, context) => {
    const seen = new Map<string, number>();
    for (const [index, { name, displayName }] of properties.entries()) {
      const title = displayName ?? name;
      const first = seen.get(title);
      if (first === undefined) seen.set(title, index);
      else {
        const message = `is "${title}" like column ${first}; display names must differ`;
        context.addIssue({ code: 'custom', path: [index, 'displayName'], message });
      }
    }
  });

export type Property = z.output<typeof property>;

/** Where a cell comes from: a place in the event, or the same text in every row. */
export type CellSource = EventPath | { constant: string };

/** One column of a file: its title and where its value stands. */
export type Column = { title: string; source: CellSource };

/** The columns of a file: those that are given, those that `properties` asks for, or those of a CSV without it. */
export function columnsOf({ columns, properties }: { columns?: readonly Column[]; properties: readonly Property[] }) {
  if (columns) return columns;
  if (properties.length === 0) return defaultColumns();
  return properties.map(({ name, displayName }): Column => {
    const path = parseEventPath(name);
    if ('error' in path) throw new Error(path.error);
    return { title: displayName ?? name, source: path };
  });
}

const defaultColumns = (): Column[] =>
  eventFields.filter((f) => f.csv).map((field) => ({ title: field.path, source: { field, steps: [] } }));
