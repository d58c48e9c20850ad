import type { Request, Response } from 'express';
import type { Prisma } from '../../prisma/client.ts';
import { listTenantsOf, type TenantRow } from '../../prisma/tenants.ts';
import { findTenantByName, isNameOf, requireHere } from '../access/tenancy.ts';
import { tenancy } from '../access/tenant-route.ts';

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
  const { isNamed, tenant } = await tenancy(request, response).subject();
  if (isNamed) return tenant && isAmong(tenant, asked) ? [tenant] : [];
  if (!asked) return listTenantsOf(prisma, region);
  const found = await Promise.all(asked.map((name) => findTenantByName(response, name)));
  const known = new Map(found.filter((each) => each !== undefined).map((each) => [each.id, each]));
  for (const each of known.values()) requireHere(response, each);
  return [...known.values()].filter(({ status }) => status === 'active');
}

/** Whether the tenant is one of those asked for, by id or external id; all are when nobody is. */
export const isAmong = (tenant: TenantRow, asked: string[] | undefined): boolean =>
  asked === undefined || asked.some((name) => isNameOf(tenant, name));
