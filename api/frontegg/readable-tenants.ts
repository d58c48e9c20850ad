import type { Request, Response } from 'express';
import type { Prisma } from '../../prisma/client.ts';
import { listTenantsOf, type TenantRow } from '../../prisma/tenants.ts';
import { actingFor, findTenantNamed, isNameOf, lookForTenant, requireHere } from '../access/tenant-route.ts';

/** How Frontegg's clients name a tenant: as they always have, where that is known. */
export const tenantNameOf = ({ id, externalId }: TenantRow): string => externalId ?? id;

type Deps = { prisma: Prisma; region: string };

/**
 * Whose audits a list is about: those of the caller's tenant, or of the one that the header names; without it the
 * management reads all that live here. `asked` narrows it. A tenant that is not known has no audits, and nobody learns
 * whether there are others.
 * @throws AppError not_found for another tenant than the caller's own in the header, misdirected_request
 */
export async function readableTenants(
  request: Request,
  response: Response,
  { prisma, region, asked }: Deps & { asked: string[] | undefined },
): Promise<TenantRow[]> {
  const { isNamed, tenant } = await lookForTenant(request, response);
  if (isNamed) return tenant && isAmong(tenant, asked) ? [tenant] : [];
  if (!asked) return listTenantsOf(prisma, region);
  const found = await Promise.all(asked.map((name) => findTenantNamed(response, name)));
  const known = new Map(found.filter((each) => each !== undefined).map((each) => [each.id, each]));
  for (const each of known.values()) requireHere(response, each);
  return [...known.values()];
}

/** Whether the tenant is one of those asked for, by id or external id; all are when nobody is. */
export const isAmong = (tenant: TenantRow, asked: string[] | undefined): boolean =>
  asked === undefined || asked.some((name) => isNameOf(tenant, name));

/**
 * The one tenant that the request is about; undefined for one that is not known.
 * @throws AppError bad_request when the management names nobody; else the same
 */
export async function namedTenant(request: Request, response: Response): Promise<TenantRow | undefined> {
  const { isNamed, tenant } = await lookForTenant(request, response);
  // It says which header is missing.
  return isNamed ? tenant : actingFor(request, response);
}
