import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExportView } from '../../prisma/exports/view.ts';
import { addEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import {
  type Exporting,
  endedExport,
  exportFile,
  type FinishedExport,
  fetchFile,
  queueExport,
  startExporting,
} from '../worker/export-fixture.ts';

const numbersIn = ({ text }: FinishedExport): number[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).sequence_number);

/** `from` up to and with `through`. */
const range = (from: number, through: number): number[] =>
  Array.from({ length: Math.max(0, through - from + 1) }, (_, i) => from + i);

describe('Exports while events keep coming', () => {
  let app: Exporting;
  beforeAll(async () => {
    app = await startExporting({ LOGFERRY_SEGMENT_ROWS: '700', LOGFERRY_EXPORT_READERS: '3' });
  });
  afterAll(() => app.close());

  it('hold exactly 1 … as_of_sequence, and incremental ones join without gap or double', async () => {
    const { call } = await app.newTenant();
    const clients = 64;
    const rounds = 6;
    let posted = 0;
    let isEnough = false;
    // Every third event happened before those that came earlier: time is no order of commit.
    const post = async (client: number, nth: number) => {
      const event = {
        action: `client.${client}`,
        metadata: { nth },
        ...(nth % 3 === 0 && { occurred_at: new Date(Date.now() - nth * 1000).toISOString() }),
      };
      const batch = nth % 5 === 0;
      const reply = batch
        ? await call('/v1/events/batch', { json: { events: [event, event, event] } })
        : await call('/v1/events', { json: event });
      if (reply.status !== 201) throw new Error(`${reply.status} ${await reply.text()}`);
      posted += batch ? 3 : 1;
    };
    // They go on until every round of exports was taken among them, however fast either side is.
    const writing = Promise.all(
      range(1, clients).map(async (client) => {
        for (let nth = 1; !isEnough; nth++) await post(client, nth);
      }),
    );

    const whole: string[] = [];
    const increments: ExportView[] = [];
    let last = 0;
    const takeBoth = async () => {
      whole.push(await queueExport(call, { format: 'ndjson' }));
      const request = { format: 'ndjson', filter: { after_sequence: last }, sort: [{ field: 'sequence_number' }] };
      const view = await bodyOf(call('/v1/exports', { json: request }));
      increments.push(view);
      last = view.as_of_sequence;
      await endedExport(call, whole.at(-1)!);
    };
    try {
      for (let round = 1; round <= rounds; round++) await takeBoth();
    } finally {
      isEnough = true;
    }
    await writing;
    await takeBoth();

    expect(posted).toBeGreaterThan(clients);
    for (const id of whole) {
      const file = await fetchFile(await endedExport(call, id));
      expect(numbersIn(file).sort((a, b) => a - b)).toEqual(range(1, file.view.as_of_sequence));
    }
    const joined: number[] = [];
    for (const { id } of increments) joined.push(...numbersIn(await fetchFile(await endedExport(call, id))));
    expect(joined).toEqual(range(1, last));
    const { rows } = await app.database.pool.query(
      `select count(*)::int as n from events where action like 'client.%'`,
    );
    expect(rows[0].n).toBe(posted);
  }, 120_000);
});

describe('10,000 events within one millisecond', () => {
  const count = 10_000;
  const events = range(1, count).map((n) => ({
    action: 'same.moment',
    // A hundred of each of a hundred microseconds, in no order.
    occurred_at: `2025-03-01T12:00:00.000${String((n * 37) % 100).padStart(3, '0')}Z`,
    actor: { id: n % 7 === 0 ? undefined : `actor-${(n * 31) % 50}` },
    metadata: { shuffled: n % 11 === 0 ? null : (n * 7919) % 1000 },
  }));

  describe.each([7, 1000, 20_000])('in segments of %i', (segmentRows) => {
    let app: Exporting;
    let call: Call;
    beforeAll(async () => {
      app = await startExporting({ LOGFERRY_SEGMENT_ROWS: String(segmentRows) });
      const made = await app.newTenant();
      call = made.call;
      await addEvents(app.database, made.tenant.id, events);
    });
    afterAll(() => app.close());

    const sorts = [
      { field: 'occurred_at', key: (n: number) => events[n - 1]!.occurred_at },
      { field: 'sequence_number', key: () => '' },
      { field: 'actor.id', key: (n: number) => events[n - 1]!.actor.id ?? '~ nulls are last' },
      {
        field: 'metadata.shuffled',
        key: (n: number) => String(events[n - 1]!.metadata.shuffled ?? 'null').padStart(5, '0'),
      },
    ];
    const directions = ['asc', 'desc'] as const;
    const cases = sorts.flatMap((sort) => directions.map((direction) => ({ ...sort, direction })));

    it.each(cases.map((each) => [`${each.field} ${each.direction}`, each] as const))(
      'sorted by %s are each there once, in order',
      async (_name, { field, key, direction }) => {
        const sign = direction === 'asc' ? 1 : -1;
        const expected = range(1, count)
          .map((n) => ({ n, key: key(n) }))
          .sort((a, b) => sign * (compare(a.key, b.key) || a.n - b.n))
          .map(({ n }) => n);
        const file = await exportFile(call, {
          format: 'ndjson',
          properties: [{ name: 'sequence_number' }],
          filter: { action: 'same.moment' },
          sort: [{ field, direction }],
        });
        expect(file.view.resumable).toBe(['occurred_at', 'sequence_number'].includes(field));
        expect(firstOutOfPlace(numbersIn(file), expected)).toBeUndefined();
      },
    );

    it('bounded by microseconds and sequence numbers are those within, in both directions', async () => {
      const filter = {
        from: '2025-03-01T12:00:00.000010Z',
        to: '2025-03-01T12:00:00.000019Z',
        after_sequence: 1234,
        through_sequence: 8765,
      };
      const within = range(1235, 8765).filter((n) => {
        const micros = (n * 37) % 100;
        return micros >= 10 && micros <= 19;
      });
      for (const direction of directions) {
        const file = await exportFile(call, {
          format: 'ndjson',
          filter,
          sort: [{ field: 'sequence_number', direction }],
        });
        expect(numbersIn(file)).toEqual(direction === 'asc' ? within : within.toReversed());
        const byTime = await exportFile(call, {
          format: 'ndjson',
          filter,
          sort: [{ field: 'occurred_at', direction }],
        });
        expect(numbersIn(byTime).sort((a, b) => a - b)).toEqual(within);
      }
    });
  });
});

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function firstOutOfPlace(found: number[], expected: number[]): string | undefined {
  if (found.length !== expected.length) return `${found.length} rows instead of ${expected.length}`;
  const at = found.findIndex((number, index) => number !== expected[index]);
  return at < 0 ? undefined : `row ${at}: ${found.slice(at, at + 5)} instead of ${expected.slice(at, at + 5)}`;
}
