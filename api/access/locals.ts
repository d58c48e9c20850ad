import type { Response } from 'express';
import type { Recent } from '../../core/async/recent.ts';
import type { Config } from '../../core/config.ts';
import type { AppError } from '../../core/errors.ts';
import type { ByteBudget, Holding } from '../../core/limits/byte-budget.ts';
import type { TenantRow } from '../../prisma/tenants.ts';
import type { Caller } from './caller.ts';

/** What tenants are found by. Each of the APIs that are spoken here has its own header. */
export type TenantLookup = {
  config: Pick<Config, 'LOGFERRY_REGION' | 'LOGFERRY_REGIONS'>;
  /** Tenants by id or external id, at most a few seconds old (see api/access/access.ts). */
  tenants: Recent<TenantRow>;
  /** The header by which the management says for whom it acts. */
  tenantHeader: 'Logferry-Tenant' | 'frontegg-tenant-id';
};

/** All that is kept of a request beside it, from its first handler to its line in the log. Nothing is there from the start. */
export type Locals = {
  requestId: string;
  /** Who calls, or why that is nobody. */
  caller: Caller;
  refusal: AppError;
  tenantLookup: TenantLookup;
  /** The tenant that the request is about. */
  tenant: TenantRow;
  /** The export that the request is about, for the log. */
  exportId: string;
  /** What stands for a whole folder of pages, for metrics. */
  countedAs: string;
  /** The process was told to stop: replies that only wait for something end. */
  isStopping: true;
  /** What counts the memory that is held for requests, and what is held for this one. */
  memoryBudget: ByteBudget;
  holding: Holding;
  /** What answers is at work: what is held for it is in use, even if the client has gone. */
  isBeingHandled: boolean;
};

/** What is kept of this request by now. */
export const localsOf = (response: Response): Partial<Locals> => response.locals as Partial<Locals>;
