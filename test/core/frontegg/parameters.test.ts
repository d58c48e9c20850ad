import querystring from 'node:querystring';
import { expect, it } from 'vitest';
import { readParameters } from '../../../core/frontegg/parameters.ts';

const read = (query: string) => Object.fromEntries(readParameters(querystring.parse(query)));

it.each([
  ['a=1&a=2', { a: ['1', '2'] }],
  ['a[]=1&a[]=2', { a: ['1', '2'] }],
  ['a[0]=1&a[1]=2&a=3', { a: ['1', '2', '3'] }],
  ['a=["1",2,true]', { a: ['1', '2', 'true'] }],
  ['a=[]', {}],
  ['a=["x",{"y":1}]', { a: ['["x",{"y":1}]'] }],
  ['a=[not JSON', { a: ['[not JSON'] }],
  ['a=&b=undefined&c=null&d=["",null]', { d: ['["",null]'] }],
  [
    'a={"$gt":1,"$lt":"2"}',
    {
      a: [
        { operator: '$gt', operand: 1 },
        { operator: '$lt', operand: '2' },
      ],
    },
  ],
  ['a={"$gt":1,"b":2}', { a: ['{"$gt":1,"b":2}'] }],
  ['a={}', { a: ['{}'] }],
  [
    'a[$gt]=1&a[$lt]=x',
    {
      a: [
        { operator: '$gt', operand: 1 },
        { operator: '$lt', operand: 'x' },
      ],
    },
  ],
  ['a[$in][]=1&a[$in][]=b', { a: [{ operator: '$in', operand: [1, 'b'] }] }],
  ['a[$exists]=false', { a: [{ operator: '$exists', operand: false }] }],
  ['a[b]=1', { 'a[b]': ['1'] }],
  ['a[$gte]=00', { a: [{ operator: '$gte', operand: '00' }] }],
  ['a[$gte]=-0.50', { a: [{ operator: '$gte', operand: -0.5 }] }],
  ['a[$gte]=9007199254740991', { a: [{ operator: '$gte', operand: 9007199254740991 }] }],
])('reads %s', (query, expected) => {
  expect(read(query)).toEqual(expected);
});

it('takes __proto__ for a name like any other', () => {
  expect([...readParameters(querystring.parse('__proto__=1'))]).toEqual([['__proto__', ['1']]]);
});

it.each([
  `v[$gte]=${'9'.repeat(400)}`,
  'v[$gte]=9007199254740993',
  'v[$in][]=1&v[$in][]=9007199254740993',
  'v={"$gte":9007199254740993}',
  'v={"$gte":1,"$gte":2}',
])('refuses %s, which would be read as something else', (query) => {
  expect(() => read(query)).toThrow(expect.objectContaining({ type: 'validation_error' }));
});
