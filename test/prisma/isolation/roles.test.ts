import { describe, expect, it } from 'vitest';
import { roleKinds, roleName } from '../../../prisma/isolation/roles.ts';

describe('The name of a role', () => {
  it('says of which database it is', () => {
    expect(roleName('reader', 'audit')).toBe('logferry_reader_audit');
  });

  const long = ['x'.repeat(63), `${'x'.repeat(62)}y`, `${'x'.repeat(48)}`, `${'ä'.repeat(31)}`, `a${'😀'.repeat(15)}`];
  it.each(long)('has at most 63 bytes, and is another for another database: %s', (database) => {
    for (const kind of roleKinds) {
      expect(Buffer.byteLength(roleName(kind, database))).toBeLessThanOrEqual(63);
      expect(roleName(kind, database)).not.toContain('\ufffd');
    }
    const others = long.filter((other) => other !== database).map((other) => roleName('ingest', other));
    expect(others).not.toContain(roleName('ingest', database));
  });
});
