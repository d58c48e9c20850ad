import { z } from 'zod';
import { AppError } from '../errors.ts';
import { strictObject } from '../strict-object.ts';
import { type Plan, plans } from '../tenants.ts';
import { dayMs } from '../times.ts';

const gibibyte = 2 ** 30;

/**
 * What a plan bounds, with what to say when it is used up, and `soon`: more than a tenant can use within a few seconds. Days
 * are those of UTC.
 */
export const limits = {
  unfinished_exports: { isDaily: false, soon: 5_000, told: 'exports that are queued or running at a time' },
  exported_rows_per_day: { isDaily: true, soon: 100e6, told: 'rows in exports made on one day (UTC)' },
  exported_bytes_per_day: {
    isDaily: true,
    soon: 100 * gibibyte,
    told: 'bytes in files of exports made on one day (UTC)',
  },
} as const;

export type LimitName = keyof typeof limits;
export const limitNames = Object.keys(limits) as LimitName[];

/** How much of each a plan has; null is without limit. */
export type PlanLimits = Readonly<Record<LimitName, number | null>>;
/** How much of each a tenant has used. */
export type Usage = Readonly<Record<LimitName, number>>;

const tebibyte = 1024 * gibibyte;

/** They keep a program that runs wild from filling a deployment, and are far from what people need. */
const defaults: Record<Plan, PlanLimits> = {
  free: { unfinished_exports: 0, exported_rows_per_day: 0, exported_bytes_per_day: 0 },
  pro: { unfinished_exports: 20_000, exported_rows_per_day: 10e9, exported_bytes_per_day: 10 * tebibyte },
  enterprise: { unfinished_exports: 200_000, exported_rows_per_day: 100e9, exported_bytes_per_day: 100 * tebibyte },
};

const amount = z.int().min(0).nullable().optional();
const amounts = strictObject(Object.fromEntries(limitNames.map((name) => [name, amount])));

/** What LOGFERRY_PLAN_LIMITS takes: for plans, some of their limits. */
export const planLimitsSchema = strictObject(Object.fromEntries(plans.map((plan) => [plan, amounts.optional()])));
export type PlanLimitChanges = Partial<Record<string, Partial<Record<string, number | null | undefined>>>>;

/** The limits of a plan, as the configuration changes them. */
export const limitsOf = (plan: Plan, changes: PlanLimitChanges): PlanLimits => ({
  ...defaults[plan],
  ...changes[plan],
});

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
    return used[name] <= limit * 0.9 && used[name] + limits[name].soon < limit;
  });

/** @throws AppError plan_limit_exceeded, with Retry-After, for the first limit of which nothing is left */
export function refuseBeyond(planLimits: PlanLimits, used: Usage, now: number): void {
  for (const name of limitNames) {
    const limit = planLimits[name];
    if (limit === null || used[name] < limit) continue;
    const { isDaily, told } = limits[name];
    const seconds = isDaily ? Math.ceil((nextDay(now) - now) / 1000) : soonSeconds;
    const advice = isDaily ? `Try again in ${seconds} s` : 'Wait for one to end, or cancel one';
    throw new AppError('plan_limit_exceeded', `The plan has ${limit} ${told}, and they are used. ${advice}.`, {
      headers: { 'Retry-After': String(seconds) },
      members: { limit: { name, limit, used: used[name] } },
    });
  }
}
