import type { Operator, Scalar } from '../../core/events/filter.ts';
import type { Bind } from './bind.ts';

/**
 * A test of a jsonb value as SQL: values compare by type, and what is absent equals nothing.
 */
export function jsonOperation(operator: Operator, value: string, operand: Scalar | Scalar[], bind: Bind): string {
  const operands = Array.isArray(operand) ? operand : [operand];
  switch (operator) {
    case '$eq':
    case '$in':
      return equals(value, operands, bind);
    case '$ne':
    case '$nin':
      // As in MongoDB: an absent path is not equal to anything.
      return `${equals(value, operands, bind)} is not true`;
    case '$exists':
      return `${value} is ${operand ? 'not ' : ''}null`;
    default:
      return ordered(operator, value, operand as string | number, bind);
  }
}

/** jsonb equality compares by type: a number equals a number whatever its notation, never a text. */
const equals = (value: string, operands: Scalar[], bind: Bind): string =>
  `${value} = any(${bind(
    operands.map((operand) => JSON.stringify(operand)),
    'jsonb[]',
  )})`;

/** The signs of operators that order. */
export const comparisons = { $gt: '>', $gte: '>=', $lt: '<', $lte: '<=' } as const;

/** Numbers compare with numbers, texts with texts by code point; `case` keeps the cast away from other types. */
function ordered(operator: keyof typeof comparisons, value: string, operand: string | number, bind: Bind): string {
  const sign = comparisons[operator];
  if (typeof operand === 'number') {
    return `case when jsonb_typeof(${value}) = 'number' then ${value} ${sign} ${bind(JSON.stringify(operand), 'jsonb')} else false end`;
  }
  return `case when jsonb_typeof(${value}) = 'string' then (${value} #>> '{}') collate "C" ${sign} ${bind(operand, 'text')} else false end`;
}
