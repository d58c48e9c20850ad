import { z } from 'zod';
import { AppError, invalid } from '../errors.ts';
import { findUnstorable, findUnstorableText, parseJson, storableTextPattern } from '../json/json.ts';
import { storable } from '../json/storable.ts';
import { unknownName } from '../nearest-name.ts';
import { parseTimestamp, timePatterns } from '../times.ts';
import { pathPattern, splitPath } from './event-path.ts';
import { parseSeverity, severities, severityPattern } from './events.ts';

const storedText = storable(
  z.string({ error: 'must be text' }).min(1, 'must not be empty').max(4096, 'must have at most 4096 characters'),
);

const listMessage = 'must be a text, or a list of 1 to 1000 texts, none empty';

/** One value or a list of them: any of. */
const oneOrMany = <T extends z.ZodType>(value: T) =>
  z.union([value, z.array(value).min(1, listMessage).max(1000, listMessage)], {
    error: (issue) => {
      const inner = (issue as { errors?: z.core.$ZodIssue[][] }).errors?.flat().find((e) => e.code === 'custom');
      return inner?.message ?? listMessage;
    },
  });

const time = (dateOnly: 'start' | 'end') =>
  z
    .string({ error: 'must be a time, as text' })
    .refine((text) => parseTimestamp(text, dateOnly) !== undefined, {
      error: (issue) =>
        /\d:\d\d[\d:.]* \d\d:?\d\d$/.test(String(issue.input))
          ? 'is not a time; in a query string write the + of a zone as %2B'
          : 'must be an RFC 3339 time such as 2026-11-22T10:00:00Z, or a date such as 2026-11-22',
    })
    .meta({ pattern: timePatterns.timeOrDate, description: 'On `occurred_at`, inclusive; UTC without a zone' });

const sequence = z
  .number({ error: 'must be a whole number' })
  .int('must be a whole number')
  .min(0, 'must not be negative')
  .max(Number.MAX_SAFE_INTEGER, 'is too large');

/** The operators of criteria, and what each may be compared with. */
export const operators = {
  $eq: 'scalar',
  $ne: 'scalar',
  $gt: 'ordered',
  $gte: 'ordered',
  $lt: 'ordered',
  $lte: 'ordered',
  $in: 'list',
  $nin: 'list',
  $exists: 'boolean',
} as const;
export type Operator = keyof typeof operators;
export type Scalar = string | number | boolean | null;
/** One path's criteria: a value that it must equal, or operators that must all hold. */
export type Criteria = Scalar | { [operator in Operator]?: Scalar | Scalar[] };

/** Paths that `metadata` may ask for: each is a condition on every row. */
const maxCriteria = 100;

const scalarForm = {
  anyOf: [{ type: ['number', 'boolean', 'null'] }, { type: 'string', pattern: storableTextPattern }],
};
const operandForms = {
  scalar: scalarForm,
  ordered: { anyOf: [{ type: 'number' }, { type: 'string', pattern: storableTextPattern }] },
  list: { type: 'array', items: scalarForm, minItems: 1, maxItems: 1000 },
  boolean: { type: 'boolean' },
} as const;

/** The JSON criteria, as a JSON Schema: what the checks below check. */
const criteriaForm = {
  type: 'object',
  maxProperties: maxCriteria,
  propertyNames: { pattern: pathPattern },
  additionalProperties: {
    anyOf: [
      scalarForm,
      {
        type: 'object',
        minProperties: 1,
        additionalProperties: false,
        properties: Object.fromEntries(Object.entries(operators).map(([name, kind]) => [name, operandForms[kind]])),
      },
    ],
  },
  description: 'Paths to values or operators. Values compare by JSON type',
} as const;

/** The member `metadata` of a filter. */
export const criteriaSchema = z
  .custom<Record<string, Criteria>>()
  .superRefine((value, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (!isObject(value)) return refuse([], 'must be an object of paths to values or operators');
    if (Object.keys(value).length > maxCriteria) return refuse([], `must have at most ${maxCriteria} paths`);
    for (const [path, criteria] of Object.entries(value)) {
      const unstorable = findUnstorableText(path, '') ?? findUnstorable(criteria);
      if (unstorable) {
        refuse([path], unstorable.message);
        continue;
      }
      if (!splitPath(path)) refuse([path], 'is not a path; write a.b, list[0] or a["b.c"]');
      if (isScalar(criteria)) continue;
      if (!isObject(criteria))
        refuse([path], 'must be a text, a number, a boolean, null, or operators such as {"$in": […]}');
      else for (const [name, operand] of Object.entries(criteria)) checkOperator(path, name, operand, refuse);
      if (isObject(criteria) && Object.keys(criteria).length === 0) refuse([path], 'names no operator');
    }
  })
  .meta(criteriaForm);

function checkOperator(
  path: string,
  name: string,
  operand: unknown,
  refuse: (path: string[], message: string) => void,
) {
  if (!Object.hasOwn(operators, name))
    return refuse([path, name], unknownName('operator', name, Object.keys(operators)));
  const kind = operators[name as Operator];
  if (
    kind === 'list' &&
    !(Array.isArray(operand) && operand.length > 0 && operand.length <= 1000 && operand.every(isScalar))
  )
    refuse([path, name], 'must be a list of 1 to 1000 texts, numbers, booleans or nulls');
  if (kind === 'boolean' && typeof operand !== 'boolean') refuse([path, name], 'must be true or false');
  if (kind === 'scalar' && !isScalar(operand)) refuse([path, name], 'must be a text, a number, a boolean or null');
  if (kind === 'ordered' && typeof operand !== 'number' && !(typeof operand === 'string' && isScalar(operand)))
    refuse([path, name], 'must be a number or a text');
}

/** Words of a search: each is looked for in every row. */
export const mostSearchWords = 8;

export const wordsOf = (search: string): string[] => search.split(/\s+/).filter(Boolean);

const searchText = storedText
  .max(256, 'must have at most 256 characters')
  .refine((text) => wordsOf(text).length <= mostSearchWords, { error: `must have at most ${mostSearchWords} words` });

const members = {
  action: oneOrMany(storedText).optional(),
  actor_id: oneOrMany(storedText).optional(),
  actor_email: oneOrMany(storedText).optional(),
  target_type: oneOrMany(storedText).optional(),
  target_id: oneOrMany(storedText).optional(),
  severity: oneOrMany(
    z
      .string()
      .superRefine((text, context) => {
        if (!parseSeverity(text))
          context.addIssue({ code: 'custom', message: unknownName('severity', text, severities) });
      })
      .meta({ pattern: severityPattern, description: `${severities.join(', ')}, in any case` }),
  ).optional(),
  ip: oneOrMany(storedText).optional(),
  from: time('start').optional(),
  to: time('end').optional(),
  after_sequence: sequence.optional(),
  through_sequence: sequence.optional(),
  search: searchText.optional(),
  metadata: criteriaSchema.optional(),
};

/** Members of the filter, in the order in which messages list them. */
export const filterMembers: readonly string[] = Object.keys(members);

/** The filter as the API takes it, kept as it was given. The same for lists, streams and exports. */
export const filterSchema = z
  .strictObject(members, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownName('filter', String(issue.keys?.[0]), filterMembers)
        : 'must be a JSON object',
  })
  .superRefine((filter, context) => {
    const from = filter.from && parseTimestamp(filter.from, 'start');
    const to = filter.to && parseTimestamp(filter.to, 'end');
    if (from && to && from > to) {
      context.addIssue({
        code: 'custom',
        path: ['from'],
        message: `is after "to" (${from} > ${to}): nothing can match`,
      });
    }
    const { after_sequence: after, through_sequence: through } = filter;
    if (after !== undefined && through !== undefined && after > through) {
      context.addIssue({ code: 'custom', path: ['after_sequence'], message: 'is greater than "through_sequence"' });
    }
  });

export type Filter = z.output<typeof filterSchema>;

const numeric = ['after_sequence', 'through_sequence'];

/**
 * The filter members of a query string, in the form that filterSchema checks: numbers from digits, `metadata` from JSON
 * text. What cannot be converted is left as it is, for the schema to refuse.
 */
export function filterFromQuery(query: Record<string, unknown>): Record<string, unknown> {
  const filter: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(query)) {
    if (numeric.includes(name) && typeof value === 'string' && /^\d{1,16}$/.test(value)) filter[name] = Number(value);
    else if (name === 'metadata' && typeof value === 'string') filter[name] = parseOr(value);
    else filter[name] = value;
  }
  return filter;
}

/** @throws AppError validation_error for what is JSON, but holds something that would be changed silently */
function parseOr(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof AppError) || error.type !== 'validation_error') return text;
    throw invalid(error.errors.map((each) => ({ ...each, path: ['metadata', each.path].filter(Boolean).join('.') })));
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isScalar = (value: unknown): value is Scalar =>
  value === null ||
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  (typeof value === 'string' && !findUnstorableText(value, ''));
