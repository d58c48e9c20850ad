import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evidence } from './evidence.ts';

/**
 * Writes down what a mistake is to be explained by: the log of each process, the moves of each export, and what was done
 * when.
 */
export async function keepEvidence({ fleet, history, troubles, orders }: Evidence, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const write = (name: string, lines: unknown[]) =>
    writeFile(join(directory, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  for (const { lives } of [...fleet.apis, ...fleet.workers]) {
    for (const [nth, { entries, lines, ...life }] of lives.entries()) {
      await write(`${life.member} ${nth + 1}.log`.replaceAll(' ', '-'), [life, ...entries, ...lines]);
    }
  }
  const time = (at: number) => (at === Infinity ? null : new Date(at).toISOString());
  await write(
    'troubles.log',
    troubles.map((each) => ({ ...each, from: time(each.from), to: time(each.to) })),
  );
  await write(
    'moves.log',
    [...history.values()].flat().map((each) => ({ ...each, at: time(each.at) })),
  );
  await write(
    'orders.log',
    orders.map(({ tenant, ...order }) => ({ ...order, tenant: tenant.id })),
  );
  await write(
    's3.log',
    fleet.s3Requests.all.map(({ query, ...each }) => ({ ...each, query: String(query), at: time(each.at) })),
  );
}
