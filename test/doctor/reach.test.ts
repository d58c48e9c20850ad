import { expect, test } from 'vitest';
import { reachOf } from '../../doctor/reach.ts';

test.each([
  ['0.0.0.0', 'everywhere'],
  ['[::]', 'everywhere'],
  ['localhost', 'machine'],
  ['logs.localhost', 'machine'],
  ['127.0.0.1', 'machine'],
  ['[::1]', 'machine'],
  ['10.1.2.3', 'network'],
  ['[fd00::1]', 'network'],
  ['api', 'network'],
  ['db.internal', 'network'],
  ['printer.local', 'network'],
  ['logferry.default.svc', 'network'],
  ['logs.example.com', 'world'],
  ['Internal.example.com', 'world'],
  ['8.8.8.8', 'world'],
])('%s is of the %s', (host, reach) => {
  expect(reachOf(host)).toBe(reach);
});
