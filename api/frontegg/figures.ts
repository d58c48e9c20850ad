import type { RequestHandler } from 'express';
import { type FieldError, invalid } from '../../core/errors.ts';
import { dayMs, hourMs } from '../../core/times.ts';
import { countFigures, type Figures, type Span } from '../../prisma/events/counts.ts';
import { tenantSql } from '../../prisma/isolation/as-role.ts';
import { listTenantsOf, type TenantRow } from '../../prisma/tenants.ts';
import { requireScope } from '../access/tenant-route.ts';
import { reply } from '../openapi/described.ts';
import type { Route } from '../route.ts';
import type { AuditDeps } from './audit-deps.ts';
import { digits, fronteggCall, query } from './described.ts';
import { tenantNameOf } from './readable-tenants.ts';

/** Entries of each top list; steps of time that one reply may have. */
const limits = { entries: 10, mostEntries: 1_000, steps: 10_000 };

/** How many audits there were, of all tenants of this region. */
export const readAuditFigures: Route<AuditDeps> = {
  id: 'getAuditFigures',
  method: 'get',
  path: '/audits/resources/metrics/v1',
  summary: 'Count audits by resource, tenant and time',
  description: 'Of all tenants of this region.',
  by: 'management',
  parameters: [
    query('from', 'Milliseconds since 1970', digits),
    query('to', 'Milliseconds since 1970', digits),
    query('frequency', 'Milliseconds of a step', digits),
    query('limit', 'Entries of each top list', digits),
  ],
  replies: {
    200: reply('The figures', {
      schema: 'AuditFigures',
      example: {
        topResources: [{ resource: 'app', count: 3 }],
        topTenants: [{ tenantId: 'acme', count: 3 }],
        auditsCounterByTime: [{ time: '2026-11-22T10:00:00.000Z', count: 3 }],
      },
    }),
  },
  ...fronteggCall,
  handle: getFigures,
};

function getFigures({ database, config, clock = Date.now }: AuditDeps): RequestHandler {
  return async (request, response) => {
    requireScope(response, 'events:read');
    const span = readSpan(request.query, clock());
    const tenants = await listTenantsOf(database.prisma, config.LOGFERRY_REGION);
    const ids = tenants.map((tenant) => tenant.id);
    response.json(presentFigures(await countFigures(tenantSql(database.pool, ids), ids, span), tenants));
  };
}

/** `from` and `to` are by default the last day, `frequency` an hour, `limit` 10. */
function readSpan(query: Record<string, unknown>, now: number): Span {
  const errors: FieldError[] = [];
  const number = (name: string, preset: number, range: { least: number; most: number }): number => {
    const given = query[name];
    if (given === undefined || given === '' || given === 'undefined') return preset;
    const value = typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
    if (value >= range.least && value <= range.most) return value;
    errors.push({ path: name, message: `must be a whole number from ${range.least} to ${range.most}` });
    return preset;
  };
  // The end of the year 9999: PostgreSQL goes further, but no event does.
  const times = { least: 0, most: 253_402_300_799_999 };
  const to = number('to', now, times);
  const from = number('from', Math.max(0, to - dayMs), times);
  // Of a long time there are as many steps as one reply may have.
  const preset = hourMs * Math.max(1, Math.ceil((to - from) / limits.steps / hourMs));
  const step = number('frequency', preset, { least: 1, most: times.most });
  const limit = number('limit', limits.entries, { least: 1, most: limits.mostEntries });
  if (errors.length === 0 && from > to) errors.push({ path: 'from', message: 'is after "to"' });
  if (errors.length === 0 && (to - from) / step > limits.steps)
    errors.push({
      path: 'frequency',
      message: `cuts the time into more than ${limits.steps} steps; ask for longer ones`,
    });
  if (errors.length > 0) throw invalid(errors);
  return { from, to, step, limit };
}

function presentFigures({ resources, tenants, steps }: Figures, rows: readonly TenantRow[]) {
  const names = new Map(rows.map((tenant) => [tenant.id, tenantNameOf(tenant)]));
  return {
    topResources: resources.map(({ name, count }) => ({ resource: name, count })),
    topTenants: tenants.map(({ id, count }) => ({ tenantId: names.get(id) ?? id, count })),
    auditsCounterByTime: steps.map(({ from, count }) => ({ time: new Date(from).toISOString(), count })),
  };
}
