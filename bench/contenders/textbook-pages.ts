import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { PrismaPg } from '@prisma/adapter-pg';
import { stringify } from 'csv-stringify';
import { type Event, PrismaClient } from '../../prisma/generated/client.ts';
import { contend } from './contend.ts';
import { csvOptions, type TextbookJob, upload } from './upload-textbook.ts';

const pageRows = 1_000;

async function* events(prisma: PrismaClient, { tenantId, throughRow }: TextbookJob) {
  for (let after = 0n; ; ) {
    const page = await prisma.event.findMany({
      where: { tenantId, sequenceNumber: { gt: after, lte: throughRow } },
      orderBy: { sequenceNumber: 'asc' },
      take: pageRows,
    });
    for (const event of page) yield cells(event);
    if (page.length < pageRows) return;
    after = page.at(-1)!.sequenceNumber;
  }
}

const columns = {
  id: (event: Event) => event.id,
  sequence_number: (event: Event) => String(event.sequenceNumber),
  occurred_at: (event: Event) => event.occurredAt.toISOString(),
  received_at: (event: Event) => event.receivedAt.toISOString(),
  action: (event: Event) => event.action,
  severity: (event: Event) => event.severity,
  'actor.id': (event: Event) => event.actorId,
  'actor.type': (event: Event) => event.actorType,
  'actor.name': (event: Event) => event.actorName,
  'actor.email': (event: Event) => event.actorEmail,
  'actor.meta': (event: Event) => json(event.actorMeta),
  'target.type': (event: Event) => event.targetType,
  'target.id': (event: Event) => event.targetId,
  'target.meta': (event: Event) => json(event.targetMeta),
  'context.ip': (event: Event) => event.contextIp,
  'context.user_agent': (event: Event) => event.contextUserAgent,
  context: (event: Event) => json(event.context),
  description: (event: Event) => event.description,
  diff: (event: Event) => json(event.diff),
  metadata: (event: Event) => json(event.metadata),
  hash: (event: Event) => Buffer.from(event.hash).toString('hex'),
  previous_hash: (event: Event) => Buffer.from(event.previousHash).toString('hex'),
};

const makers = Object.values(columns);
const cells = (event: Event): (string | null)[] => makers.map((cell) => cell(event));
const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

/**
 * What most teams write: pages of Prisma's findMany, csv-stringify, gzip, and the upload of lib-storage. Done well: the
 * cursor is an index range, nothing is held but a page, everything waits for what is behind it, and an error anywhere ends
 * all of it.
 */
await contend<TextbookJob>(async (job) => {
  const adapter = new PrismaPg({ connectionString: job.databaseUrl, options: '-c TimeZone=UTC' });
  const prisma = new PrismaClient({ adapter });
  const file = await upload(job, [
    Readable.from(events(prisma, job), { highWaterMark: pageRows }),
    stringify(csvOptions(columns)),
    createGzip({ level: 1 }),
  ]);
  await prisma.$disconnect();
  return file;
});
