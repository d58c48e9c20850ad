import { describe, expect, it } from 'vitest';
import { AppError } from '../../../core/errors.ts';
import {
  hasRoom,
  limitsOf,
  nextDay,
  planLimitsSchema,
  refuseBeyond,
  retentionByPlan,
  startOfDay,
} from '../../../core/exports/plan-limits.ts';

const noon = Date.parse('2026-11-22T12:00:00Z');
const none = { unfinished_exports: 0, exported_rows_per_day: 0, exported_bytes_per_day: 0 };
const held = { stored_bytes: null, api_keys: 100, webhooks: 50 };
const some = { unfinished_exports: 2, exported_rows_per_day: 1000, exported_bytes_per_day: null, ...held };

describe('The limits of a plan', () => {
  it('are far beyond what people need, and none for exports on a plan without them', () => {
    expect(limitsOf('pro', {}).unfinished_exports).toBeGreaterThanOrEqual(10_000);
    expect(limitsOf('enterprise', {}).unfinished_exports).toBeGreaterThan(limitsOf('pro', {}).unfinished_exports!);
    expect(limitsOf('free', {})).toEqual({ ...none, ...held });
  });

  it('change one by one', () => {
    const changed = limitsOf('pro', { pro: { unfinished_exports: 3, exported_rows_per_day: null } });
    expect(changed).toEqual({ ...limitsOf('pro', {}), unfinished_exports: 3, exported_rows_per_day: null });
    expect(limitsOf('enterprise', { pro: { unfinished_exports: 3 } })).toEqual(limitsOf('enterprise', {}));
  });
});

describe('How long a plan keeps events', () => {
  it('is what the configuration says, else for ever, and is none of the amounts', () => {
    const changes = { pro: { retention_days: 30, api_keys: 7 } };
    expect(planLimitsSchema.parse(changes)).toEqual(changes);
    expect(retentionByPlan(changes)).toEqual({ free: null, pro: 30, enterprise: null });
    expect(limitsOf('pro', changes)).toEqual({ ...limitsOf('pro', {}), api_keys: 7 });
    expect(planLimitsSchema.safeParse({ pro: { retention_days: 0 } }).success).toBe(false);
  });
});

describe('refuseBeyond', () => {
  const refusal = (used: Partial<typeof none>): AppError | undefined => {
    try {
      refuseBeyond(some, { ...none, ...used }, noon);
    } catch (error) {
      return error as AppError;
    }
  };

  it('lets pass what is below the limits, and all of what has none', () => {
    expect(
      refusal({ unfinished_exports: 1, exported_rows_per_day: 999, exported_bytes_per_day: 1e18 }),
    ).toBeUndefined();
  });

  it('says which limit is used up, and when it begins anew', () => {
    const error = refusal({ exported_rows_per_day: 1200 })!;
    expect(error).toBeInstanceOf(AppError);
    expect(error.type).toBe('plan_limit_exceeded');
    expect(error.headers).toEqual({ 'Retry-After': String(12 * 3600) });
    expect(error.members).toEqual({ limit: { name: 'exported_rows_per_day', limit: 1000, used: 1200 } });
    expect(error.message).toContain('1000 rows');
  });

  it('tells to come back soon where nobody knows when, and what to do about it', () => {
    expect(refusal({ unfinished_exports: 2 })!.headers).toEqual({ 'Retry-After': '10' });
    const full = () => refuseBeyond({ ...some, stored_bytes: 500 }, { ...none, stored_bytes: 500 }, noon);
    expect(full).toThrow(/500 bytes in stored files.*Delete exports .*or wait for their files to expire/);
  });
});

describe('hasRoom', () => {
  const big = { unfinished_exports: 20_000, exported_rows_per_day: 10e9, exported_bytes_per_day: null, ...held };

  it.each([
    [{}, true],
    [{ unfinished_exports: 14_999, exported_rows_per_day: 9e9 }, true],
    [{ unfinished_exports: 15_000 }, false],
    [{ exported_rows_per_day: 9e9 + 1 }, false],
    [{ exported_bytes_per_day: 1e18 }, true],
  ])('with %j used is %j', (used, room) => {
    expect(hasRoom(big, { ...none, ...used })).toBe(room);
  });

  it.each([
    { unfinished_exports: 5000 },
    { exported_rows_per_day: 100e6 },
    { exported_bytes_per_day: 100 * 2 ** 30 },
    { stored_bytes: 100 * 2 ** 30 },
  ])('is never there where %j is all that there is: a few seconds may use it up', (small) => {
    expect(hasRoom({ ...big, ...small }, none)).toBe(false);
  });
});

describe('A day', () => {
  it.each(['2026-11-22T00:00:00.000Z', '2026-11-22T23:59:59.999Z'])('at %s is that of UTC', (time) => {
    expect(startOfDay(Date.parse(time))).toBe(Date.parse('2026-11-22T00:00:00Z'));
    expect(nextDay(Date.parse(time))).toBe(Date.parse('2026-11-23T00:00:00Z'));
  });
});
