import type { NewEvent } from '../../core/events/event-columns.ts';
import { compartmentTexts } from '../../core/events/event-text.ts';
import type { Compartment } from '../../core/evidence/compartments.ts';
import { proofWithout } from '../../core/evidence/proof.ts';
import type { Sql } from '../../prisma/client.ts';

/** What an erasure sets of the columns of each compartment; `what` is never erased. */
const emptied: Record<Exclude<Compartment, 'what'>, string> = {
  actor: 'actor_id = null, actor_type = null',
  person: 'actor_name = null, actor_email = null, actor_meta = null',
  context: `context = '{"ip":null,"user_agent":null}', context_ip = null, context_user_agent = null`,
  target: 'target_id = null, target_meta = null',
  detail: `description = null, diff = null, metadata = '{}'`,
};

export const erasable = Object.keys(emptied) as (keyof typeof emptied)[];

/** Erases these compartments of a stored event, one after the other, each time from what the time before has left. */
export async function eraseCompartments(
  sql: Sql,
  event: NewEvent,
  { tenant, erasing }: { tenant: string; erasing: readonly (keyof typeof emptied)[] },
): Promise<void> {
  const canonical = compartmentTexts(event);
  let proof: Parameters<typeof proofWithout>[1]['proof'] = { seed: event.seed, erased: null };
  for (const each of erasing) {
    proof = { seed: null, erased: proofWithout([each], { proof, canonical }) };
    await sql(
      `update events set seed = null, erased = $3::json, ${emptied[each]} where tenant_id = $1::uuid and id = $2::uuid`,
      [tenant, event.id, JSON.stringify(proof.erased)],
    );
  }
}
