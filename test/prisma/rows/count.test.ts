import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNewEvent } from '../../../core/events/new-event.ts';
import { contentOf, exportRequestSchema } from '../../../core/exports/exports.ts';
import { type Database, inTransaction, openDatabase } from '../../../prisma/client.ts';
import { appendEvents } from '../../../prisma/events/append.ts';
import { countRows } from '../../../prisma/rows/count.ts';
import { createTenant } from '../../../prisma/tenants.ts';
import { createTestDatabase, type TestDatabase } from '../../database.ts';

const total = 24_000;
/** No count ends in less than a millisecond: so the sample has to do. */
const noTime = 0;
const plenty = 60_000;

describe('counting the rows of an export', () => {
  let testDatabase: TestDatabase;
  let database: Database;
  let tenantId: string;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    database = openDatabase(testDatabase.url);
    ({ id: tenantId } = await createTenant(database.prisma, {
      name: randomUUID(),
      plan: 'pro',
      region: 'eu',
      externalId: null,
    }));
    const events = Array.from({ length: total }, (_, i) => {
      const read = readNewEvent({ action: i % 4 === 0 ? 'user.login' : 'document.read', metadata: { n: i } });
      if ('errors' in read) throw new Error(JSON.stringify(read.errors));
      return read.event;
    });
    await inTransaction(database.pool, (sql) => appendEvents(sql, tenantId, events));
  });
  afterAll(async () => {
    await database.close();
    await testDatabase.drop();
  });

  const count = (filter: object, limitMs: number) => {
    const content = contentOf(exportRequestSchema.parse({ format: 'csv', filter }));
    return countRows(database, { tenantId, asOfSequence: total, content }, limitMs);
  };

  it('knows without counting how many there are without a filter', async () => {
    expect(await count({}, noTime)).toEqual({ rows: total, is: 'exact' });
    expect(await count({ after_sequence: 10, through_sequence: 30 }, noTime)).toEqual({ rows: 20, is: 'exact' });
    expect(await count({ after_sequence: total + 5 }, noTime)).toEqual({ rows: 0, is: 'exact' });
  });

  it('counts exactly while there is time', async () => {
    expect(await count({ action: 'user.*' }, plenty)).toEqual({ rows: total / 4, is: 'exact' });
    expect(await count({ action: 'user.*', after_sequence: total }, plenty)).toEqual({ rows: 0, is: 'exact' });
  });

  it('estimates from a sample when the time is up, without any statistics of the table', async () => {
    const estimate = await count({ action: 'user.*' }, noTime);
    expect(estimate.is).toBe('estimate');
    expect(estimate.rows).toBeGreaterThan(0.9 * (total / 4));
    expect(estimate.rows).toBeLessThan(1.1 * (total / 4));
    expect(await count({ metadata: { n: { $gte: total / 2 } } }, noTime)).toEqual({ rows: total / 2, is: 'estimate' });
  });
});
