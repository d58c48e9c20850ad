import type { Request, RequestHandler, Response } from 'express';
import type { Scope } from '../../core/access/api-keys.ts';
import { AppError } from '../../core/errors.ts';
import { type Plan, plans } from '../../core/tenants.ts';
import type { AuditContext } from '../../prisma/exports/audit.ts';
import type { TenantRow } from '../../prisma/tenants.ts';
import type { Caller } from './caller.ts';
import { localsOf, type TenantLookup } from './locals.ts';
import { type Tenancy, tenancyOf } from './tenancy.ts';

/** @throws AppError authentication_error with what identify() found wrong */
export const requireCaller: RequestHandler = (_request, response, next) => {
  const { caller, refusal } = localsOf(response);
  if (caller === undefined) throw refusal ?? unauthorized('An API key is needed.');
  next();
};

/** Who calls. For handlers behind requireCaller(). */
export function callerOf(response: Response): Caller {
  const caller = findCaller(response);
  if (!caller) throw new Error('The route is not behind requireCaller()');
  return caller;
}

/** Who calls, if that is known. */
export const findCaller = (response: Response): Caller | undefined => localsOf(response).caller;

/** RFC 9110 section 15.5.2: a 401 names the scheme that is asked for. */
export const unauthorized = (message: string, cause?: unknown): AppError =>
  new AppError('authentication_error', message, { cause, headers: { 'WWW-Authenticate': 'Bearer' } });

/** Gives tenantRoute() of all routes behind it what it needs. */
export const withTenants =
  (lookup: TenantLookup): RequestHandler =>
  (_request, response, next) => {
    localsOf(response).tenantLookup = lookup;
    next();
  };

/**
 * For routes of one tenant: the caller must have the scope, and tenantOf() is the caller's tenant, or the one that the
 * management names in the header (id or external id).
 *
 * Fails with AppError: 403 scope_error; 400 when the management names nobody; 404 for a tenant that is unknown, or
 * another one than the caller's; 421 for one that lives in another region.
 */
export function tenantRoute(scope: Scope): RequestHandler {
  return async (request, response, next) => {
    requireScope(response, scope);
    localsOf(response).tenant = await tenancy(request, response).tenant();
    next();
  };
}

/** For routes that find out by themselves which tenants they are about. */
export const scopeRoute =
  (scope: Scope): RequestHandler =>
  (_request, response, next) => {
    requireScope(response, scope);
    next();
  };

/** @throws AppError scope_error that names the scope */
export function requireScope(response: Response, scope: Scope): void {
  const { scopes, kind } = callerOf(response);
  if (scopes.includes(scope)) return;
  const message = `This call needs the scope "${scope}"; the ${kind === 'api_key' ? 'key' : 'token'} has ${scopes.join(', ') || 'none'}.`;
  throw new AppError('scope_error', message);
}

/** For whom the request is made. For handlers behind requireCaller(). */
export const tenancy = (request: Request, response: Response): Tenancy =>
  tenancyOf(request, response, callerOf(response));

/** The tenant that the request is about. For handlers behind tenantRoute(). */
export function tenantOf(response: Response): TenantRow {
  const tenant = findTenantOf(response);
  if (!tenant) throw new Error('The route is not behind tenantRoute()');
  return tenant;
}

/** The tenant that the request is about, if that is known. */
export const findTenantOf = (response: Response): TenantRow | undefined => localsOf(response).tenant;

/** For routes of the management alone. @throws AppError scope_error for everybody else */
export const managementRoute: RequestHandler = (_request, response, next) => {
  if (!callerOf(response).management) throw new AppError('scope_error', 'This call needs a management key.');
  next();
};

/** For routes of the management and of keys that manage keys. @throws AppError scope_error for everybody else */
export const keyManagementRoute: RequestHandler = (_request, response, next) => {
  if (!callerOf(response).management) requireScope(response, 'keys:manage');
  next();
};

/** @throws AppError plan_feature_unavailable when the tenant's plan is below `least` */
export function requirePlan(response: Response, least: Plan): void {
  const { plan } = tenantOf(response);
  if (plans.indexOf(plan) >= plans.indexOf(least)) return;
  const message = `This call needs the plan "${least}" or higher; the tenant's is "${plan}".`;
  throw new AppError('plan_feature_unavailable', message);
}

/** Who calls, and from where, as an event of the tenant's audit log has it. */
export function auditContext(request: Request, response: Response): AuditContext {
  return {
    actor: callerOf(response).actor,
    context: { ip: request.ip?.replace(/^::ffff:/, '') ?? null, user_agent: request.get('user-agent') ?? null },
  };
}
