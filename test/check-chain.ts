import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

// Node 24 may mistake keys that are written with escapes (nodejs/node#63785), so JSON.parse gets to see none.
const hide = (line: string) =>
  line.replace(/\\u[\da-f]{4}|\\.|\uE000/gi, (found) => `\uE000${Buffer.from(found).toString('hex')};`);
const shown = (text: string) =>
  text.replace(/\uE000([\da-f]+);/g, (_, hex) => JSON.parse(`"${Buffer.from(hex, 'hex')}"`));

function canonical(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shown(value));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const members = Object.entries(value).sort(([a], [b]) => (shown(a) < shown(b) ? -1 : 1));
  return `{${members.map(([key, inner]) => `${canonical(key)}:${canonical(inner)}`).join()}}`;
}

const lines = readFileSync(process.argv[2]!, 'utf8').split('\n').filter(Boolean);
const events = lines.map((line) => JSON.parse(hide(line))).sort((a, b) => a.sequence_number - b.sequence_number);
let last = { number: events[0].sequence_number - 1, hash: events[0].previous_hash };
if (last.number === 0) last.hash = '0'.repeat(64);
for (const { sequence_number, previous_hash, hash, created_at, ...members } of events) {
  const number = Buffer.alloc(8);
  number.writeBigInt64BE(BigInt(sequence_number));
  const digest = createHash('sha256').update(canonical(members)).digest();
  const expected = createHash('sha256').update(previous_hash, 'hex').update(number).update(digest).digest('hex');
  const follows = sequence_number === last.number + 1 && previous_hash === last.hash;
  if (!follows || hash !== expected || created_at !== members.received_at) {
    console.log(`broken at event ${sequence_number} (${members.id})`);
    process.exit(1);
  }
  last = { number: sequence_number, hash };
}
console.log(`events ${events[0].sequence_number} to ${last.number} hold, the last hash is ${last.hash}`);
