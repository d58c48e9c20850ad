import type { Request, Response } from 'express';
import { AppError, notFound } from '../../core/errors.ts';
import { refuseDeleting, type TenantRow } from '../../prisma/tenants.ts';
import type { Caller } from './caller.ts';
import { localsOf, type TenantLookup } from './locals.ts';

/** For whom a request is made; with `isNamed` and no tenant, for one that is not known. `name` is that of the header, if any. */
export type Subject = { isNamed: boolean; name: string | undefined; tenant: TenantRow | undefined };

/**
 * For whom a request is made. Each fails with AppError: 404 for another tenant than the caller's own, 421 for one that lives
 * in another region, 409 for one that is being deleted; and besides as it says.
 */
export type Tenancy = {
  /** For routes that have something to do for a tenant that is not known yet, or for all of them. */
  subject(): Promise<Subject>;
  /** The tenant, if the request names one: the management need not. Fails with 404 for one that is not known. */
  findTenant(): Promise<TenantRow | undefined>;
  /** The tenant, which must be named; undefined for one that is not known. Fails with 400 when the management names nobody. */
  tenantIfKnown(): Promise<TenantRow | undefined>;
  /** The tenant, which must be named and known. Fails with 400 when the management names nobody. */
  tenant(): Promise<TenantRow>;
};

/** @param caller as callerOf() has it */
export function tenancyOf(request: Request, response: Response, caller: Caller): Tenancy {
  const subject = () => readSubject(request, response, caller);
  const findTenant = async () => {
    const { isNamed, tenant } = await subject();
    if (isNamed && !tenant) throw notFound('tenant');
    return tenant;
  };
  return {
    subject,
    findTenant,
    async tenantIfKnown() {
      const { isNamed, tenant } = await subject();
      if (!isNamed) throw namesNobody(response);
      return tenant;
    },
    async tenant() {
      const tenant = await findTenant();
      if (!tenant) throw namesNobody(response);
      return tenant;
    },
  };
}

function namesNobody(response: Response): AppError {
  const { tenantHeader } = lookupOf(response);
  const message = `A management key acts for a tenant: name it in the header "${tenantHeader}" by its id or external_id.`;
  return new AppError('bad_request', message);
}

async function readSubject(request: Request, response: Response, caller: Caller): Promise<Subject> {
  const { tenantHeader, tenants } = lookupOf(response);
  const name = readTenantHeader(request, tenantHeader);
  if (caller.management && name === undefined) return { isNamed: false, name, tenant: undefined };
  const tenant = caller.management ? await tenants.get(name!) : caller.tenant;
  if (!caller.management && name !== undefined && !(tenant && isNameOf(tenant, name))) throw notFound('tenant');
  if (tenant) {
    requireHere(response, tenant);
    refuseDeleting(tenant);
  }
  return { isNamed: true, name, tenant };
}

/** A client of Frontegg's that has no tenant may write that as text, as it does in a query string. */
const unset = ['undefined', 'null'];

function readTenantHeader(request: Request, header: TenantLookup['tenantHeader']): string | undefined {
  const values = request.headersDistinct[header.toLowerCase()] ?? [];
  // Node joins them by a comma, which an external id may hold.
  if (values.length > 1) throw new AppError('bad_request', `The header "${header}" must be given once.`);
  const name = values[0]?.trim() || undefined;
  return header === 'frontegg-tenant-id' && name !== undefined && unset.includes(name) ? undefined : name;
}

/** Whether the text is the tenant's id or its external id. */
export const isNameOf = (tenant: TenantRow, name: string): boolean =>
  name.toLowerCase() === tenant.id || name === tenant.externalId;

/** The tenant of this id or external id, whoever asks, if there is one. */
export const findTenantByName = (response: Response, idOrExternalId: string): Promise<TenantRow | undefined> =>
  lookupOf(response).tenants.get(idOrExternalId);

/** @throws AppError misdirected_request for a tenant of another region, with the address of its home if that is known */
export function requireHere(response: Response, tenant: TenantRow): void {
  const { config } = lookupOf(response);
  if (tenant.region === config.LOGFERRY_REGION) return;
  const home = config.LOGFERRY_REGIONS[tenant.region];
  throw new AppError(
    'misdirected_request',
    `The tenant lives in the region "${tenant.region}", and this is "${config.LOGFERRY_REGION}".` +
      (home === undefined ? '' : ` Send the request to ${home}.`),
    home === undefined ? {} : { members: { base_url: home }, headers: { Location: home } },
  );
}

const lookupOf = (response: Response): TenantLookup => {
  const { tenantLookup } = localsOf(response);
  if (!tenantLookup) throw new Error('The route is not behind withTenants()');
  return tenantLookup;
};
