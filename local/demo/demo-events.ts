/** What the demo's log is made of: how many events, which ones, and over which time. */
export type DemoLog = { rows: number; seed: number; until: Date; days: number };

/** Lines that go out together. Each text is about 64 KiB: enough that sending costs little, and little to hold. */
const linesPerChunk = 100;

/**
 * Believable audit events as NDJSON, a few lines at a time, oldest first. The same arguments give the same lines. Every
 * event is checked by the API like any other; here it only has to be made fast, so JSON is put together from ready pieces.
 */
export function* demoEvents({ rows, seed, until, days }: DemoLog): Generator<string> {
  const random = randomNumbers(seed);
  const people = makePeople(random);
  const spanMs = days * 86_400_000;
  const start = until.getTime() - spanMs;
  for (let first = 0; first < rows; first += linesPerChunk) {
    let lines = '';
    for (let row = first; row < Math.min(rows, first + linesPerChunk); row++) {
      // Spread evenly and shaken a little: so some events of one moment arrive out of order, as they do in life.
      const at = start + ((row + random()) / rows) * spanMs - random() * 2_000;
      lines += eventLine(Math.max(start, at), people, random);
    }
    yield lines;
  }
}

type Random = () => number;

/** mulberry32: 32 bits of state, good enough to look at random, and fast. Gives numbers from 0 up to 1. */
function randomNumbers(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const pick = <T>(list: readonly T[], random: Random): T => list[Math.floor(random() * list.length)]!;
const upTo = (most: number, random: Random): number => Math.floor(random() * most);
const hex = (random: Random): string =>
  Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0');

/** One person of the tenant: a name, and pieces of JSON that stay the same in all events. */
type Person = { name: string; email: string; actorJson: string; device: string };

const givenNames = [
  'Ana',
  'Björn',
  'Chloé',
  'Dariusz',
  'Emeka',
  'Farah',
  'Grace',
  'Hiro',
  'Inês',
  'Jo',
  'Kaveh',
  'Lena',
];
const familyNames = [
  'Almeida',
  'Berg',
  'Chen',
  'D’Arcy',
  'Eze',
  'Fischer',
  "O'Neil",
  'Papadopoulos',
  'Sato',
  'Zhou, Jr.',
];
/** RFC 2606: nobody gets mail there. */
const domains = ['example.com', 'example.net', 'example.org'];
const devices = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'python-requests/2.32.3',
  'curl/8.11.0',
];

function makePeople(random: Random): Person[] {
  return Array.from({ length: 400 }, (_, index) => {
    const name = `${pick(givenNames, random)} ${pick(familyNames, random)}`;
    const email = `user${index + 1}@${pick(domains, random)}`;
    const actor = { id: `usr_${1000 + index}`, type: index % 20 === 0 ? 'service' : 'user', name, email };
    return { name, email, actorJson: JSON.stringify(actor), device: pick(devices, random) };
  });
}

type Kind = { action: string; severity: string; target: string; describe(person: Person, n: number): string };

/** Twice or more in the list: as much more frequent. */
const kinds: readonly Kind[] = [
  ...times(6, {
    action: 'user.login',
    severity: 'Info',
    target: 'session',
    describe: () => 'Signed in with a passkey',
  }),
  ...times(5, {
    action: 'document.viewed',
    severity: 'Info',
    target: 'document',
    describe: (_person, n) => `Opened "Report ${n % 900}, final"`,
  }),
  ...times(3, {
    action: 'document.updated',
    severity: 'Info',
    target: 'document',
    describe: ({ name }, n) => `"${name}" edited section ${n % 40}, then saved`,
  }),
  ...times(2, {
    action: 'user.role.changed',
    severity: 'Medium',
    target: 'user',
    describe: ({ email }) => `Role of ${email} changed from "viewer" to "editor", effective now`,
  }),
  ...times(2, {
    action: 'api_key.created',
    severity: 'Medium',
    target: 'api_key',
    describe: (_person, n) => `Key "ci-${n % 60}" created, scopes: read, write`,
  }),
  {
    action: 'document.shared',
    severity: 'High',
    target: 'document',
    describe: (_person, n) => `Shared with everybody who has the link, "Report ${n % 900}"`,
  },
  {
    action: 'sso.disabled',
    severity: 'Critical',
    target: 'organization',
    describe: ({ name }) => `Single sign-on switched off by ${name}`,
  },
  {
    action: 'payment.failed',
    severity: 'Error',
    target: 'invoice',
    describe: (_person, n) => `Invoice ${2000 + (n % 700)} not paid: "card declined, try again"`,
  },
];

function times(count: number, kind: Kind): Kind[] {
  return Array.from({ length: count }, () => kind);
}

const methods = ['GET', 'POST', 'PUT', 'DELETE'];
const regions = ['eu-central', 'eu-north', 'us-east', 'ap-south'];
const plans = ['free', 'team', 'business'];

function eventLine(atMs: number, people: readonly Person[], random: Random): string {
  const person = pick(people, random);
  const kind = pick(kinds, random);
  const n = upTo(1_000_000, random);
  return `{"action":"${kind.action}","severity":"${kind.severity}","actor":${person.actorJson},"target":{"type":"${kind.target}","id":"${kind.target}_${n % 5000}"},"context":{"ip":"${address(random)}","user_agent":"${person.device}"},"description":${JSON.stringify(kind.describe(person, n))},"metadata":${metadataJson(kind, n, random)},"occurred_at":"${new Date(atMs).toISOString()}"}\n`;
}

/** 150 to 250 bytes, with objects and a list inside. */
function metadataJson(kind: Kind, n: number, random: Random): string {
  const status = kind.severity === 'Error' ? 402 : 200;
  return `{"request":{"id":"${hex(random)}-${hex(random)}","method":"${pick(methods, random)}","path":"/v2/${kind.target}s/${n % 5000}","status":${status},"duration_ms":${upTo(900, random)}},"region":"${pick(regions, random)}","plan":"${pick(plans, random)}","mfa":${n % 3 !== 0},"tags":["web","release-${n % 30}"],"session":"${hex(random)}${hex(random)}"}`;
}

/** From the ranges kept for documentation: RFC 5737, RFC 3849. */
function address(random: Random): string {
  const range = upTo(10, random);
  if (range === 0) return `2001:db8:${upTo(65_536, random).toString(16)}::${(1 + upTo(65_535, random)).toString(16)}`;
  return `${pick(['192.0.2', '198.51.100', '203.0.113'], random)}.${1 + upTo(254, random)}`;
}
