import { z } from 'zod';
import { AppError } from '../errors.ts';
import { strictObject } from '../strict-object.ts';
import { type Plan, plans, retentionDays } from '../tenants.ts';
import { dayMs } from '../times.ts';

const gibibyte = 2 ** 30;

/** What a tenant has used is read at different places: exports when one is made, keys and webhooks when one of them is. */
export type LimitSubject = 'exports' | 'keys' | 'webhooks';

/**
 * What a plan bounds, with what to say when it is used up, and `soon`: more than a tenant can use within a few seconds. Days
 * are those of UTC.
 */
export const limits = {
  unfinished_exports: {
    of: 'exports',
    isDaily: false,
    soon: 5_000,
    told: 'exports that are queued or running at a time',
    advice: 'Wait for one to end, or cancel one',
  },
  exported_rows_per_day: { of: 'exports', isDaily: true, soon: 100e6, told: 'rows in exports made on one day (UTC)' },
  exported_bytes_per_day: {
    of: 'exports',
    isDaily: true,
    soon: 100 * gibibyte,
    told: 'bytes in files of exports made on one day (UTC)',
  },
  stored_bytes: {
    of: 'exports',
    isDaily: false,
    soon: 100 * gibibyte,
    told: 'bytes in stored files',
    advice: 'Delete exports that are not needed any more, or wait for their files to expire',
  },
  api_keys: { of: 'keys', isDaily: false, soon: 0, told: 'API keys', advice: 'Revoke one that is not used' },
  webhooks: { of: 'webhooks', isDaily: false, soon: 0, told: 'webhooks', advice: 'Delete one that is not used' },
} as const satisfies Record<string, Limit>;

type Limit = { of: LimitSubject; soon: number; told: string } & (
  | { isDaily: true }
  | { isDaily: false; advice: string }
);

export type LimitName = keyof typeof limits;
export const limitNames = Object.keys(limits) as LimitName[];

/** How much of each a plan has; null is without limit. */
export type PlanLimits = Readonly<Record<LimitName, number | null>>;
/** How much of each a tenant has used; of those that were asked for. */
export type Usage = Readonly<Partial<Record<LimitName, number>>>;

export const limitsOfSubject = (subject: LimitSubject): LimitName[] =>
  limitNames.filter((name) => limits[name].of === subject);

const tebibyte = 1024 * gibibyte;

/**
 * Each webhook is told of each export, and each key has a share of the requests. What there is to store in, the operator
 * knows alone.
 */
const inEveryPlan = { stored_bytes: null, api_keys: 100, webhooks: 50 };

/** They keep a program that runs wild from filling a deployment, and are far from what people need. */
const defaults: Record<Plan, PlanLimits> = {
  free: { unfinished_exports: 0, exported_rows_per_day: 0, exported_bytes_per_day: 0, ...inEveryPlan },
  pro: {
    unfinished_exports: 20_000,
    exported_rows_per_day: 10e9,
    exported_bytes_per_day: 10 * tebibyte,
    ...inEveryPlan,
  },
  enterprise: {
    unfinished_exports: 200_000,
    exported_rows_per_day: 100e9,
    exported_bytes_per_day: 100 * tebibyte,
    ...inEveryPlan,
  },
};

const amount = z.int().min(0).nullable().optional();
const amounts = strictObject({
  ...Object.fromEntries(limitNames.map((name) => [name, amount])),
  retention_days: retentionDays.optional(),
});

/** What LOGFERRY_PLAN_LIMITS takes: for plans, some of their limits. */
export const planLimitsSchema = strictObject(Object.fromEntries(plans.map((plan) => [plan, amounts.optional()])));
export type PlanLimitChanges = Partial<Record<string, Partial<Record<string, number | null | undefined>>>>;

/** The limits of a plan, as the configuration changes them. */
export function limitsOf(plan: Plan, changes: PlanLimitChanges): PlanLimits {
  const { retention_days: _days, ...limits } = changes[plan] ?? {};
  return { ...defaults[plan], ...limits };
}

/** Days that events are kept by plan, where the tenant's own setting says nothing; null is for ever. */
export type PlanRetention = Readonly<Record<Plan, number | null>>;
export const retentionByPlan = (changes: PlanLimitChanges): PlanRetention =>
  Object.fromEntries(plans.map((plan) => [plan, changes[plan]?.retention_days ?? null])) as PlanRetention;

/** When what is counted by the day begins anew: milliseconds since 1970. */
export const nextDay = (now: number): number => startOfDay(now) + dayMs;

/** When the day began, of which `now` is part. */
export const startOfDay = (now: number): number => now - (now % dayMs);

/** Seconds after which one export may have ended. Nobody knows when. */
const soonSeconds = 10;

/** Whether so much is left of each limit that what a tenant can do in a few seconds does not use it up; a tenth at least. */
export const hasRoom = (planLimits: PlanLimits, used: Usage): boolean =>
  limitNames.every((name) => {
    const limit = planLimits[name] ?? Infinity;
    const amount = used[name] ?? 0;
    return amount <= limit * 0.9 && amount + limits[name].soon < limit;
  });

/** @throws AppError plan_limit_exceeded, with Retry-After, for the first limit of which nothing is left */
export function refuseBeyond(planLimits: PlanLimits, used: Usage, now: number): void {
  for (const name of limitNames) {
    const [limit, amount] = [planLimits[name], used[name]];
    if (limit === null || amount === undefined || amount < limit) continue;
    const bound = limits[name];
    const seconds = bound.isDaily ? Math.ceil((nextDay(now) - now) / 1000) : soonSeconds;
    const advice = bound.isDaily ? `Try again in ${seconds} s` : bound.advice;
    throw new AppError('plan_limit_exceeded', `The plan has ${limit} ${bound.told}, and they are used. ${advice}.`, {
      headers: { 'Retry-After': String(seconds) },
      members: { limit: { name, limit, used: amount } },
    });
  }
}
