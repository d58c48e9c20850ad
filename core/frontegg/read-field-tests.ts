import type { FieldError } from '../errors.ts';
import type { EventPath } from '../events/event-path.ts';
import type { FieldCriteria } from '../events/field-criteria.ts';
import { readFieldTest } from './field-test.ts';
import { auditPaths } from './fields.ts';
import { type Parameters, textsOf, type Value } from './parameters.ts';

/** What a query string may ask besides tests of fields. All others are these. */
const reserved: ReadonlySet<string> = new Set([
  ...['count', 'limit', 'offset', 'sortBy', 'sortDirection', 'filter'],
  ...['created_from', 'created_to', 'createdAt', 'users', 'tenantId', 'tenant_ids', 'outputFileName'],
  // There is one environment and one way to page here, and no flags.
  ...['vendorId', 'paginationMode', 'featureFlagId'],
]);

/** Values of a test and tests in all: each costs every row. */
const most = { values: 1000, tests: 100 };

type FieldTest = { name: string; anyOf: EventPath[]; values: readonly Value[] };

/** The conditions that parameters set for fields, custom ones too, and all mistakes in them. */
export function readFieldTests(parameters: Parameters): { criteria: FieldCriteria[]; errors: FieldError[] } {
  const tests = [...columnTests(parameters), ...userTest(parameters)];
  const criteria: FieldCriteria[] = [];
  const errors = operatorsOfNoField(parameters);
  if (tests.length > most.tests) {
    return { criteria, errors: [{ path: '', message: `has more than ${most.tests} fields` }] };
  }
  for (const { name, anyOf, values } of tests) {
    const read = beyondBounds(name, values) ?? readFieldTest(name, anyOf, values);
    if ('criteria' in read) criteria.push(...read.criteria);
    else errors.push(read.error);
  }
  return { criteria, errors };
}

/** What is no field has plain values; to leave an operator out in silence would give rows that nobody asked for. */
function operatorsOfNoField(parameters: Parameters): FieldError[] {
  return [...parameters]
    .filter(
      ([name, values]) =>
        reserved.has(name) &&
        name !== 'createdAt' &&
        !/^created_(from|to)$/.test(name) &&
        values.some((value) => typeof value !== 'string'),
    )
    .map(([path]) => ({ path, message: 'takes plain values, and no operators' }));
}

function columnTests(parameters: Parameters): FieldTest[] {
  return [...parameters].flatMap(([name, values]) => {
    if (reserved.has(name)) return [];
    return [{ name, anyOf: auditPaths(name), values }];
  });
}

/** Users are known by their names or by their ids. */
function userTest(parameters: Parameters): FieldTest[] {
  const values = textsOf(parameters, 'users');
  const anyOf = ['user', 'actorId'].flatMap(auditPaths);
  return values.length > 0 ? [{ name: 'users', anyOf, values }] : [];
}

function beyondBounds(name: string, values: readonly Value[]): { error: FieldError } | undefined {
  if (values.length <= most.values) return undefined;
  return { error: { path: name.slice(0, 80), message: `takes at most ${most.values} values` } };
}
