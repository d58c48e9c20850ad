// A client of LogProof as its documentation has it, in Node with https (http here). It knows nothing of Logferry.
// Environment and output are those of client.py.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';

const { LOGPROOF_URL, LOGPROOF_KEY, LOGPROOF_READER, LOGPROOF_FREE, LOGPROOF_BUSY, LOGPROOF_DIR } = process.env;
const seen = { requests: 0, without_rate_limit: 0 };

class LogProofError extends Error {
  constructor(status, { type, message }, headers) {
    super(message);
    Object.assign(this, { status, type, headers });
  }
}

/** Sends a request and gives the reply to be read. */
const send = (method, where, { key = LOGPROOF_KEY, query = {}, json } = {}) =>
  new Promise((resolve, reject) => {
    const url = new URL(`${LOGPROOF_URL}${where}?${new URLSearchParams(query)}`);
    const headers = { Authorization: `Bearer ${key}`, ...(json && { 'Content-Type': 'application/json' }) };
    const request = (url.protocol === 'https:' ? https : http).request(url, { method, headers }, async (response) => {
      seen.requests++;
      if (!('x-ratelimit-limit' in response.headers && 'x-ratelimit-remaining' in response.headers)) {
        seen.without_rate_limit++;
      }
      if (response.statusCode < 400) return resolve(response);
      const { error } = await read(response);
      reject(new LogProofError(response.statusCode, error, response.headers));
    });
    request.on('error', reject);
    request.end(json && JSON.stringify(json));
  });

async function read(response) {
  let text = '';
  response.setEncoding('utf8');
  for await (const piece of response) text += piece;
  return JSON.parse(text);
}

const call = async (...request) => {
  const response = await send(...request);
  return { status: response.statusCode, ...(await read(response)) };
};

const numbers = (events) => events.map((event) => event.sequence_number);

async function listAll(query) {
  const events = [];
  for (let pages = 1, cursor; ; pages++) {
    const { data, meta } = await call('GET', '/events', { query: { ...query, ...(cursor && { cursor }) } });
    events.push(...data);
    if (!meta.has_more) return { pages, numbers: numbers(events) };
    cursor = meta.next_cursor;
  }
}

async function exportFile(query) {
  const response = await send('GET', '/events/export', { query });
  const name = /filename="([^"]+)"/.exec(response.headers['content-disposition'])[1];
  const file = fs.createWriteStream(path.join(LOGPROOF_DIR, name));
  response.pipe(file);
  await new Promise((resolve, reject) => file.on('finish', resolve).on('error', reject));
  return { name, type: response.headers['content-type'].split(';')[0] };
}

const refused = (...request) =>
  send(...request).then(
    (response) => void response.resume(),
    ({ status, type, message, headers }) => ({
      status,
      type,
      message,
      remaining: Number(headers['x-ratelimit-remaining']),
      retry_after: headers['retry-after'] === undefined ? null : Number(headers['retry-after']),
    }),
  );

async function useUp() {
  for (let i = 0; i < 1000; i++) {
    const error = await refused('GET', '/events', { key: LOGPROOF_BUSY });
    if (error) return error;
  }
  return null;
}

const one = await call('POST', '/events', {
  json: {
    action: 'user.login',
    actor: { id: 'usr_0', type: 'user', name: 'Ana', email: 'ana@example.com', meta: { team: 'blue' } },
    context: { ip: '203.0.113.42', user_agent: 'two\nlines' },
    occurred_at: '2026-02-10T00:00:00Z',
  },
});
const actions = ['user.login', 'user.deleted', 'document.deleted', 'document.updated'];
const batch = await call('POST', '/events/batch', {
  json: {
    events: Array.from({ length: 100 }, (_, i) => ({
      action: actions[i % 4],
      actor: { id: `usr_${i % 3}`, type: 'user', meta: { name: 'Jané, "J"' } },
      target: { type: 'document', id: `doc_${i % 5}`, meta: { title: 'Q4' } },
      diff: { before: { status: 'draft' }, after: { status: 'published', n: i } },
      metadata: { n: i },
      occurred_at: `2026-02-10T00:00:${String(i % 60).padStart(2, '0')}Z`,
    })),
  },
});

const result = {
  one: { status: one.status, event: one.data },
  batch: { status: batch.status, numbers: numbers(batch.data) },
  by_prefix: await listAll({ action: 'user.*', per_page: 7 }),
  by_suffix: await listAll({ action: '*.deleted', per_page: 100 }),
  by_time: await listAll({ from: '2026-02-10T00:00:10Z', to: '2026-02-10T00:00:12Z' }),
  json: await exportFile({ format: 'json' }),
  csv: await exportFile({
    format: 'csv',
    action: '*.deleted',
    actor_id: 'usr_1',
    target_type: 'document',
    from: '2026-02-10T00:00:00Z',
    to: '2026-02-10T00:00:30Z',
  }),
  verify: (await call('GET', '/verify')).data,
  errors: {
    unknown_key: await refused('GET', '/events', { key: 'lp_sk_nobody' }),
    scope: await refused('POST', '/events', { key: LOGPROOF_READER, json: { action: 'user.login' } }),
    plan: await refused('GET', '/events/export', { key: LOGPROOF_FREE }),
    missing: await refused('GET', '/events/evt_2Nz9Q8kL3Fy'),
    invalid: await refused('POST', '/events', { json: { actor: { id: 'usr_1' } } }),
    too_many: await useUp(),
  },
  ...seen,
};
console.log(JSON.stringify(result));
