import type { Database } from '../client.ts';
import { type Claim, startedClaim } from './runs.ts';

/** Any number that nothing else locks. */
const claimLock = 4_242_001;
/** A queued export has waited for nobody yet when it is younger: workers with a free slot are about to take it. */
const waitedSeconds = 2;

/** Tenants with a queued export that may begin. Skips from tenant to tenant, so a long queue of one costs nothing. */
const waitingTenants = `
  waiting as (
    (select tenant_id from exports where status = 'queued' order by tenant_id limit 1)
    union all
    select (select e.tenant_id from exports e where e.status = 'queued' and e.tenant_id > w.tenant_id
            order by e.tenant_id limit 1)
    from waiting w where w.tenant_id is not null)`;

const runningOf = (tenant: string) =>
  `(select count(*) from exports r where r.status = 'running' and r.tenant_id = ${tenant})`;

/**
 * Claims the export that comes next: first one whose worker has been silent for longer than its lease (that one counts as
 * dead), then the oldest queued one of the tenant with the fewest running; among equals, of the tenant who has waited
 * longest since a run of his began. So tenants get equal shares of the workers, however much one of them has queued.
 *
 * One process claims at a time, as each must see whom the others have taken. Both statements travel as one, so that
 * a process that stops in between holds the lock no longer than the server works; and the second waits for no export that
 * somebody else is changing: one that is being canceled is no one's, and a worker that stands still in the middle of a
 * transaction must not keep all others standing. Leases run by the clock of the database, so worker clocks may differ.
 */
export async function claimExport(database: Database, leaseSeconds: number): Promise<Claim> {
  const lease = Math.ceil(leaseSeconds);
  // Statements without parameters are sent together; the only value is a number of ours.
  const results = await database.runs.query(`
    select pg_advisory_xact_lock(${claimLock});
    with recursive ${waitingTenants},
    lapsed as (
      select id from exports where status = 'running' and lease_until < now()
      order by lease_until limit 1 for update skip locked),
    candidates as (
      select next.id, row_number() over (order by ${runningOf('w.tenant_id')},
        (select max(run_started_at) from exports l where l.tenant_id = w.tenant_id) nulls first, next.id) as place
      from waiting w
      cross join lateral (
        select id from exports where status = 'queued' and tenant_id = w.tenant_id
          and (retry_at is null or retry_at <= now()) order by id limit 1) next),
    fairest as (
      select e.id from candidates c join exports e on e.id = c.id
      where e.status = 'queued' and not exists (select from lapsed)
      order by c.place limit 1 for update of e skip locked)
    update exports set status = 'running', epoch = epoch + 1, lease_until = now() + make_interval(secs => ${lease}),
      started_at = coalesce(started_at, now()), run_started_at = clock_timestamp(), retry_at = null, error = null,
      crashes = crashes + (status = 'running')::int
    where id = (select id from lapsed union all select id from fairest) returning id, epoch;`);
  const taken = (results as unknown as { rows: { id: string; epoch: number }[] }[])[1]!.rows[0];
  if (taken) return startedClaim(database.prisma, { exportId: taken.id, epoch: taken.epoch });
  return { outcome: 'none', lapsesInMs: await nextLapse(database, lease) };
}

/** One that has lapsed and was not taken is being changed by somebody; so many milliseconds later it may not be any more. */
const lockedMs = 1_000;

/** Milliseconds until the lease of a run ends that seems dead, as it has not been renewed for some time; none if all live. */
async function nextLapse({ runs }: Database, leaseSeconds: number): Promise<number | undefined> {
  const { rows } = await runs.query<{ ms: number | null }>(
    `select extract(epoch from min(lease_until) - now())::float8 * 1000 as ms from exports
     where status = 'running' and lease_until < now() + make_interval(secs => $1)`,
    [leaseSeconds * (2 / 3)],
  );
  const ms = rows[0]?.ms ?? undefined;
  return ms !== undefined && ms < 0 ? lockedMs : ms;
}

/**
 * Whether a run is to end at its last checkpoint and let somebody else go first: tenants wait who have no export running,
 * and of the runs that have run for their time and saved something in it, this is among the first to make room, as many as
 * there are such tenants. Those of the tenant with the most running come first, then the longest.
 */
export async function shouldYield(
  database: Database,
  { exportId }: { exportId: string },
  yieldAfterSeconds: number,
): Promise<boolean> {
  const { rows } = await database.runs.query<{ over: boolean }>(
    `with recursive ${waitingTenants},
     starved as (
       select count(*) as tenants from waiting w where w.tenant_id is not null and ${runningOf('w.tenant_id')} = 0
         and exists (select from exports q where q.status = 'queued' and q.tenant_id = w.tenant_id
           and coalesce(q.retry_at, q.created_at) < now() - make_interval(secs => $3))),
     yielding as (
       select e.id, row_number() over (order by ${runningOf('e.tenant_id')} desc, e.run_started_at) as place from exports e
       where e.status = 'running' and e.resumable and e.cancel_requested_at is null
         and e.run_started_at < now() - make_interval(secs => $2)
         and exists (select from checkpoints c where c.export_id = e.id and c.epoch = e.epoch))
     select exists (select from yielding, starved where id = $1 and place <= tenants) as over`,
    [exportId, yieldAfterSeconds, waitedSeconds],
  );
  return rows[0]!.over;
}
