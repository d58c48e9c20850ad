import type { Request, RequestHandler, Response } from 'express';
import type { Scope } from '../../core/access/api-keys.ts';
import type { Recent } from '../../core/async/recent.ts';
import type { Config } from '../../core/config.ts';
import { AppError, notFound } from '../../core/errors.ts';
import { type Plan, plans } from '../../core/tenants.ts';
import type { AuditContext } from '../../prisma/exports/audit.ts';
import type { TenantRow } from '../../prisma/tenants.ts';
import type { Caller } from './caller.ts';

/** @throws AppError authentication_error with what identify() found wrong */
export const requireCaller: RequestHandler = (_request, response, next) => {
  if (response.locals.caller === undefined) throw response.locals.refusal ?? unauthorized('An API key is needed.');
  next();
};

/** Who calls. For handlers behind requireCaller(). */
export function callerOf(response: Response): Caller {
  const caller = findCaller(response);
  if (!caller) throw new Error('The route is not behind requireCaller()');
  return caller;
}

/** Who calls, if that is known. */
export const findCaller = (response: Response): Caller | undefined => response.locals.caller;

/** RFC 9110 section 15.5.2: a 401 names the scheme that is asked for. */
export const unauthorized = (message: string, cause?: unknown): AppError =>
  new AppError('authentication_error', message, { cause, headers: { 'WWW-Authenticate': 'Bearer' } });

export type TenantRouteDeps = {
  config: Pick<Config, 'LOGFERRY_REGION' | 'LOGFERRY_REGIONS'>;
  /** Tenants by id or external id, at most a few seconds old (see api/access/access.ts). */
  tenants: Recent<TenantRow>;
  /** The header by which the management says for whom it acts. Each of the APIs that are spoken here has its own. */
  tenantHeader: 'Logferry-Tenant' | 'frontegg-tenant-id';
};

/** Gives tenantRoute() of all routes behind it what it needs. */
export const withTenants =
  (deps: TenantRouteDeps): RequestHandler =>
  (_request, response, next) => {
    response.locals.tenantRoute = deps;
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
    response.locals.tenant = await actingFor(request, response);
    next();
  };
}

/** @throws AppError scope_error that names the scope */
export function requireScope(response: Response, scope: Scope): void {
  const { scopes, kind } = callerOf(response);
  if (scopes.includes(scope)) return;
  const message = `This call needs the scope "${scope}"; the ${kind === 'api_key' ? 'key' : 'token'} has ${scopes.join(', ') || 'none'}.`;
  throw new AppError('scope_error', message);
}

/** The tenant that the request is about; the same errors as tenantRoute(), but for the scope. */
export async function actingFor(request: Request, response: Response): Promise<TenantRow> {
  const tenant = await findActingFor(request, response);
  if (tenant) return tenant;
  const { tenantHeader } = depsOf(response);
  const message = `A management key acts for a tenant: name it in the header "${tenantHeader}" by its id or external_id.`;
  throw new AppError('bad_request', message);
}

/** The tenant that the request is about, if it names one: the management need not. @throws AppError as actingFor() does */
export async function findActingFor(request: Request, response: Response): Promise<TenantRow | undefined> {
  const { isNamed, tenant } = await lookForTenant(request, response);
  if (isNamed && !tenant) throw notFound('tenant');
  return tenant;
}

/** For whom a request is made; with `isNamed` and no tenant, for one that is not known. */
export type ActingFor = { isNamed: boolean; name: string | undefined; tenant: TenantRow | undefined };

/**
 * Looks for the tenant of the request, for routes that have something to do for one that is not known yet. `name` is that of the header, if any.
 * @throws AppError not_found for another tenant than the caller's own, misdirected_request
 */
export async function lookForTenant(request: Request, response: Response): Promise<ActingFor> {
  const { tenantHeader, tenants } = depsOf(response);
  const name = readTenantHeader(request, tenantHeader);
  const caller = callerOf(response);
  if (caller.management && name === undefined) return { isNamed: false, name, tenant: undefined };
  const tenant = caller.management ? await tenants.get(name!) : caller.tenant;
  if (!caller.management && name !== undefined && !(tenant && isNameOf(tenant, name))) throw notFound('tenant');
  if (tenant) requireHere(response, tenant);
  return { isNamed: true, name, tenant };
}

/** A client of Frontegg's that has no tenant may write that as text, as it does in a query string. */
const unset = ['undefined', 'null'];

function readTenantHeader(request: Request, header: TenantRouteDeps['tenantHeader']): string | undefined {
  const values = request.headersDistinct[header.toLowerCase()] ?? [];
  // Node joins them by a comma, which an external id may hold.
  if (values.length > 1) throw new AppError('bad_request', `The header "${header}" must be given once.`);
  const name = values[0]?.trim() || undefined;
  return header === 'frontegg-tenant-id' && name !== undefined && unset.includes(name) ? undefined : name;
}

/** Whether the text is the tenant's id or its external id. */
export const isNameOf = (tenant: TenantRow, name: string): boolean =>
  name.toLowerCase() === tenant.id || name === tenant.externalId;

/** The tenant of this id or external id. @throws AppError not_found */
export async function tenantNamed(response: Response, idOrExternalId: string): Promise<TenantRow> {
  const tenant = await findTenantNamed(response, idOrExternalId);
  if (!tenant) throw notFound('tenant');
  return tenant;
}

/** The tenant of this id or external id, if there is one. */
export const findTenantNamed = (response: Response, idOrExternalId: string): Promise<TenantRow | undefined> =>
  depsOf(response).tenants.get(idOrExternalId);

/** @throws AppError misdirected_request for a tenant of another region, with the address of its home if that is known */
export function requireHere(response: Response, tenant: TenantRow): void {
  const { config } = depsOf(response);
  if (tenant.region === config.LOGFERRY_REGION) return;
  const home = config.LOGFERRY_REGIONS[tenant.region];
  throw new AppError(
    'misdirected_request',
    `The tenant lives in the region "${tenant.region}", and this is "${config.LOGFERRY_REGION}".` +
      (home === undefined ? '' : ` Send the request to ${home}.`),
    home === undefined ? {} : { members: { base_url: home }, headers: { Location: home } },
  );
}

/** The tenant that the request is about. For handlers behind tenantRoute(). */
export function tenantOf(response: Response): TenantRow {
  const tenant = findTenantOf(response);
  if (!tenant) throw new Error('The route is not behind tenantRoute()');
  return tenant;
}

/** The tenant that the request is about, if that is known. */
export const findTenantOf = (response: Response): TenantRow | undefined => response.locals.tenant;

/** For routes of the management alone. @throws AppError scope_error for everybody else */
export const managementRoute: RequestHandler = (_request, response, next) => {
  if (!callerOf(response).management) throw new AppError('scope_error', 'This call needs a management key.');
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

const depsOf = (response: Response): TenantRouteDeps => {
  const deps: TenantRouteDeps | undefined = response.locals.tenantRoute;
  if (!deps) throw new Error('The route is not behind withTenants()');
  return deps;
};
