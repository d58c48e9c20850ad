/** One thing that is to be reached: its figure, and on which side of it. */
export type Target = {
  measure: string;
  /** `at most` or `at least` this. */
  bound: 'at most' | 'at least';
  value: number;
  /** What follows the number: × is a ratio to what `against` names. */
  unit: '×' | 'MiB' | 'ms' | 'events/s';
  against?: string;
};

const atMost = (value: number, unit: Target['unit'], measure: string, against?: string): Target => ({
  measure,
  bound: 'at most',
  value,
  unit,
  against,
});
const atLeast = (value: number, unit: Target['unit'], measure: string, against?: string): Target => ({
  ...atMost(value, unit, measure, against),
  bound: 'at least',
});

/** All that is measured, in the order of the table. */
export const targets = {
  P1: atMost(1, '×', 'CSV with gzip', 'psql | gzip -1 > file'),
  P2: atMost(1, '×', 'CSV', 'psql > file'),
  P3: atMost(0.6, '×', 'NDJSON', 'psql > file with row_to_json'),
  P4a: atLeast(10, '×', 'CSV with gzip to S3: how much faster', 'findMany in pages, csv-stringify, lib-storage'),
  P4b: atLeast(10, '×', 'the same', 'pg-query-stream, csv-stringify, lib-storage'),
  P5a: atMost(250, 'MiB', 'peak memory of a worker with the large log'),
  P5b: atMost(1.1, '×', 'the same', 'a tenth of the log'),
  P6a: atMost(1.15, '×', 'time per row of the large log', 'a tenth of the log'),
  P6b: atMost(1.15, '×', 'time of the last tenth of an export', 'its first tenth'),
  P7a: atMost(100, 'ms', '1,000 rows, POST to completed, Redis, p50'),
  P7b: atMost(250, 'ms', '1,000 rows, POST to completed, Redis, p95'),
  P7c: atMost(100, 'ms', '1,000 rows, POST to completed, queue in PostgreSQL, p50'),
  P7d: atMost(250, 'ms', '1,000 rows, POST to completed, queue in PostgreSQL, p95'),
  P7e: atMost(60, 'ms', '1,000 rows, POST to completed, npm start, p50'),
  P7f: atMost(120, 'ms', '1,000 rows, POST to completed, npm start, p95'),
  P8a: atMost(1.1, '×', 'GET /v1/events/export as CSV', 'psql > file'),
  P8b: atMost(50, 'ms', 'its first byte'),
  P8c: atMost(1.1, '×', 'peak memory of the API with the large log', 'the measured log'),
  P9a: atMost(100, 'ms', 'GET /v1/exports/:id with 20 exports running, p95'),
  P9b: atMost(200, 'ms', 'event-loop delay of the API meanwhile'),
  P9c: atMost(200, 'ms', 'event-loop delay of the worker meanwhile'),
  P9d: atMost(50, 'ms', 'GET /v1/exports/:id with 20 exports running, npm start, p95'),
  P9e: atMost(100, 'ms', 'event-loop delay of the API meanwhile, npm start'),
  P10: atLeast(20_000, 'events/s', 'POST /v1/events/batch of 1,000 into one process'),
  P11: atLeast(2, '×', 'exports a second of two workers', 'one worker'),
} as const satisfies Record<string, Target>;

export type TargetId = keyof typeof targets;
export const targetIds = Object.keys(targets) as TargetId[];

/** The number of the measure that a line belongs to: P4 of P4b. */
export const measureOf = (id: string): string => /^P\d+|/.exec(id)![0];
