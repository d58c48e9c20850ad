import type { IRouter, RequestHandler } from 'express';
import { keyManagementRoute, managementRoute, requirePlan, scopeRoute, tenantRoute } from './access/tenant-route.ts';
import { jsonBody } from './http/body.ts';
import { letGoAfter } from './http/held-memory.ts';
import { refuseUnknownQuery } from './http/paging.ts';
import type { Operation } from './openapi/described.ts';
import type { Route } from './route.ts';

/**
 * Has the router take these calls. Each request is checked by what its route says, in this order: who may call, the
 * tenant's plan, the names in the query, the body's type, size and syntax. What is refused is refused before its body is read.
 */
export function mount<Deps>(router: IRouter, routes: readonly Route<Deps>[], deps: Deps): void {
  for (const route of routes) {
    const handlers = [route.handle(deps)].flat();
    const last = handlers.pop()!;
    router[route.method](route.path, ...checksOf(route), ...handlers, letGoAfter(last));
  }
}

function checksOf<Deps>(route: Route<Deps>): RequestHandler[] {
  const checks = [permissionOf(route), planOf(route), queryOf(route), bodyOf(route)];
  return checks.filter((check) => check !== undefined);
}

/** The calls of Frontegg find their tenants by themselves: some read those of many, some make one. */
function permissionOf({ by, errorFamily }: Operation): RequestHandler | undefined {
  if (by === 'public' || by === 'anybody' || by === 'any key') return undefined;
  if (by === 'management') return managementRoute;
  if (by === 'key management') return keyManagementRoute;
  return errorFamily === 'frontegg' ? scopeRoute(by) : tenantRoute(by);
}

const planOf = ({ plan }: Operation): RequestHandler | undefined =>
  plan &&
  ((_request, response, next) => {
    requirePlan(response, plan);
    next();
  });

function queryOf({ by, anyQuery, parameters = [] }: Operation): RequestHandler | undefined {
  if (by === 'public' || anyQuery) return undefined;
  const names = parameters.filter((each) => each.in === 'query').map(({ name }) => name);
  return (request, _response, next) => {
    refuseUnknownQuery(request.query, names);
    next();
  };
}

const bodyOf = <Deps>({ body, readBody }: Route<Deps>): RequestHandler | undefined =>
  readBody ?? (body ? jsonBody() : undefined);
