import type { Config } from '../config.ts';
import { type Plan, plans } from '../tenants.ts';
import { limitsOf } from './plan-limits.ts';

/** Bytes of files that may be stored: of all tenants together, and of one tenant by its plan; null is without limit. */
export type StoreLimits = { ofAll: number | null; ofTenant: Readonly<Record<Plan, number | null>> };

type LimitConfig = Pick<Config, 'LOGFERRY_STORE_LIMIT' | 'LOGFERRY_PLAN_LIMITS'>;

/** The limits of this deployment. */
export const storeLimitsOf = ({ LOGFERRY_STORE_LIMIT, LOGFERRY_PLAN_LIMITS }: LimitConfig): StoreLimits => ({
  ofAll: LOGFERRY_STORE_LIMIT ?? null,
  ofTenant: Object.fromEntries(
    plans.map((plan) => [plan, limitsOf(plan, LOGFERRY_PLAN_LIMITS).stored_bytes]),
  ) as StoreLimits['ofTenant'],
});
