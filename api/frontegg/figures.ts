import { Router } from 'express';
import { AppError, type FieldError, invalid } from '../../core/errors.ts';
import { dayMs, hourMs } from '../../core/times.ts';
import { pgSql } from '../../prisma/client.ts';
import { countFigures, type Figures, type Span } from '../../prisma/events/counts.ts';
import { listTenantsOf, type TenantRow } from '../../prisma/tenants.ts';
import { callerOf, requireScope } from '../access/tenant-route.ts';
import type { AuditDeps } from './audit-deps.ts';
import { tenantNameOf } from './readable-tenants.ts';

/** Entries of each top list; steps of time that one reply may have. */
const limits = { entries: 10, mostEntries: 1_000, steps: 10_000 };

/**
 * GET /resources/metrics/v1: how many audits there were, of all tenants of this region. For the management alone.
 * `from` and `to` are milliseconds since 1970 (by default the last day), `frequency` the milliseconds of a step (an hour),
 * `limit` the entries of each top list (10).
 */
export function auditFigureRoutes({ database, config, clock = Date.now }: AuditDeps): Router {
  const router = Router();
  router.get('/resources/metrics/v1', async (request, response) => {
    requireScope(response, 'events:read');
    if (!callerOf(response).management) throw new AppError('scope_error', 'This call needs an environment token.');
    const span = readSpan(request.query, clock());
    const tenants = await listTenantsOf(database.prisma, config.LOGFERRY_REGION);
    const ids = tenants.map((tenant) => tenant.id);
    response.json(presentFigures(await countFigures(pgSql(database.pool), ids, span), tenants));
  });
  return router;
}

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
