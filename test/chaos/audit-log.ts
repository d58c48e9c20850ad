import type { Audit, Evidence } from './evidence.ts';
import type { Order } from './orders.ts';

/**
 * What was done is in the tenants' own logs once each, so is what writers were told is stored, no export was made twice,
 * and every chain holds.
 */
export const auditLog: Audit = async (evidence) => [
  ...(await auditActions(evidence)),
  ...(await auditWritten(evidence)),
  ...(await auditChains(evidence)),
];

async function auditActions({ fleet, orders }: Evidence): Promise<string[]> {
  const { rows } = await fleet.pool.query<{ id: string; action: string; times: number }>(
    `select target_id as id, action, count(*)::int as times from events where action like 'logferry.export.%'
     group by target_id, action`,
  );
  const times = new Map(rows.map((row) => [`${row.action} ${row.id}`, row.times]));
  const wrong = orders.flatMap((order) =>
    Object.entries(expectedActions(order)).flatMap(([action, wanted]) => {
      const found = times.get(`logferry.export.${action} ${order.id}`) ?? 0;
      return found === wanted ? [] : [`${order.id}: ${action} is ${found} times in the log, not ${wanted}`];
    }),
  );
  const { rows: made } = await fleet.pool.query<{ count: number }>('select count(*)::int as count from exports');
  const { count } = made[0]!;
  return count === orders.length ? wrong : [...wrong, `${orders.length} exports were asked for, there are ${count}`];
}

const expectedActions = ({ canceled }: Order) => ({
  created: 1,
  canceled: canceled === 'accepted' ? 1 : 0,
  deleted: 0,
});

async function auditWritten({ fleet, written }: Evidence): Promise<string[]> {
  const mistakes: string[] = [];
  for (const [tenant, ids] of written) {
    const { rows } = await fleet.pool.query<{ id: string }>(
      `select id from events where tenant_id = $1 and action = 'chaos.written'`,
      [tenant.id],
    );
    const stored = new Set(rows.map(({ id }) => id));
    const lost = [...ids].filter((id) => !stored.has(id));
    if (lost.length > 0) mistakes.push(`${lost.length} of ${ids.size} events that were taken are not there`);
  }
  return mistakes;
}

async function auditChains({ fleet, tenants }: Evidence): Promise<string[]> {
  const mistakes: string[] = [];
  for (const tenant of tenants) {
    const { body } = await fleet.client.until(tenant.key, '/v1/verify');
    if (body.data.status !== 'valid') mistakes.push(`the chain of ${tenant.id}: ${JSON.stringify(body.data)}`);
  }
  return mistakes;
}
