import { describe, expect, it } from 'vitest';
import { AppError, FinalError } from '../../core/errors.ts';
import { attemptLimits } from '../../core/exports/exports.ts';
import { judgeFailure, refuseDeadlyExport } from '../../worker/retry-policy.ts';

describe('A failed run', () => {
  it('is repeated after waits that grow, and the last one fails the export', () => {
    const verdicts = [0, 1, 2, 3, 4].map((failures) => judgeFailure(new Error('a moment of weakness'), failures));
    expect(verdicts.map((each) => ('delayMs' in each ? each.delayMs : each.outcome))).toEqual([
      1_000,
      5_000,
      15_000,
      60_000,
      'failed',
    ]);
    expect(verdicts.map(({ error }) => error.retryable)).toEqual([true, true, true, true, false]);
  });

  it.each([
    new FinalError('file_too_large', 'The file does not fit.'),
    Object.assign(new Error('numeric field overflow'), { code: '22003' }),
    new AppError('validation_error', 'The filter is wrong.'),
  ])('is not repeated where no repetition can help: %s', (error) => {
    expect(judgeFailure(error, 0)).toMatchObject({ outcome: 'failed', error: { retryable: false } });
  });

  it('tells the tenant the code and text of a final error, and nothing of what any other holds', () => {
    expect(judgeFailure(new FinalError('file_too_large', 'The file does not fit.'), 0).error).toEqual({
      code: 'file_too_large',
      message: 'The file does not fit.',
      retryable: false,
    });
    const noRoom = Object.assign(new Error('could not write to file "base/pgsql_tmp/1"'), { code: '53100' });
    expect(judgeFailure(noRoom, 0)).toMatchObject({ outcome: 'retry', error: { code: 'storage_full' } });
    const { error } = judgeFailure(new Error('select from secrets at db.internal'), 0);
    expect(error.code).toBe('run_failed');
    expect(error.message).not.toMatch(/secrets|internal/);
  });
});

it('An export is refused once as many workers have died with it as may', () => {
  expect(() => refuseDeadlyExport(attemptLimits.crashes - 1)).not.toThrow();
  expect(() => refuseDeadlyExport(attemptLimits.crashes)).toThrow(expect.objectContaining({ code: 'worker_died' }));
});
