import type { EventPath } from '../../core/events/event-path.ts';
import type { FieldCriteria } from '../../core/events/field-criteria.ts';
import type { Operator, Scalar } from '../../core/events/filter.ts';
import { isUuid } from '../../core/ids.ts';
import type { Bind } from './bind.ts';
import { comparisons, jsonOperation } from './json-criteria.ts';
import { jsonAt } from './values.ts';

/** The condition as SQL. Columns are compared as they are, so that an index can serve. */
export function fieldCondition({ anyOf, operator, operand }: FieldCriteria, bind: Bind): string {
  const conditions = anyOf.map((path) => conditionOn(path, { operator, operand }, bind));
  return conditions.length === 1 ? conditions[0]! : `(${conditions.join(' or ')})`;
}

type Test = Pick<FieldCriteria, 'operator' | 'operand'>;

function conditionOn({ field, steps }: EventPath, test: Test, bind: Bind): string {
  if (field.column === null) throw new Error(`${field.path} is no column`);
  if (field.type !== 'json') return onColumn(field.column, { ...test, type: field.type }, bind);
  const value = jsonAt(field.column, steps, bind);
  if (test.operator === '$is') return `(${value}) #>> '{}' = any(${bind(texts(test.operand), 'text[]')})`;
  return jsonOperation(test.operator, `(${value})::jsonb`, test.operand as Scalar | Scalar[], bind);
}

/** How a column's values are bound: one of them, and many. */
const sqlTypes = {
  text: ['text', 'text[]'],
  severity: ['severity', 'severity[]'],
  time: ['timestamptz', 'timestamptz[]'],
  uuid: ['uuid', 'uuid[]'],
  integer: ['bigint', 'bigint[]'],
} as const;

type ColumnTest = Test & { type: string };

function onColumn(column: string, { operator, operand, type }: ColumnTest, bind: Bind): string {
  const [one, many] = sqlTypes[type as keyof typeof sqlTypes] ?? refuse(type);
  const isAny = () => {
    const values = texts(operand).filter((each) => type !== 'uuid' || isUuid(each));
    return values.length === 1 ? `${column} = ${bind(values[0]!, one)}` : `${column} = any(${bind(values, many)})`;
  };
  switch (operator) {
    case '$is':
    case '$eq':
    case '$in':
      return isAny();
    case '$ne':
    case '$nin':
      // As in MongoDB: what is absent is not equal to anything.
      return `(${isAny()}) is not true`;
    case '$exists':
      return `${column} is ${operand ? 'not ' : ''}null`;
    default: {
      const collation = type === 'text' ? ' collate "C"' : '';
      return `${column}${collation} ${comparisons[operator satisfies Exclude<Operator, '$eq'>]} ${bind(String(operand), one)}`;
    }
  }
}

function refuse(type: string): never {
  throw new Error(`No criteria on ${type}`);
}

const texts = (operand: FieldCriteria['operand']): string[] =>
  (Array.isArray(operand) ? operand : [operand]).map(String);
