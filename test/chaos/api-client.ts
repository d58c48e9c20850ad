/** One request to one API, and what became of it. Times are milliseconds. */
export type Attempt = {
  url: string;
  method: string;
  path: string;
  from: number;
  to: number;
  /** Missing when there was no reply. */
  status?: number;
  error?: string;
};

export type Init = { method?: string; json?: unknown; headers?: Record<string, string> };
export type Reply = {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests compare it with what they expect
  body: any;
};

/** Calls the APIs in turn. */
export type ApiClient = {
  urls: readonly string[];
  /** All requests so far, in the order of their ends. */
  attempts: Attempt[];
  /** One request to the next API. undefined when it gave no reply. */
  once(key: string, path: string, init?: Init): Promise<Reply | undefined>;
  /**
   * As clients are told to: again, at the next API, as long as there is no reply or it is a 5xx. So it must be a request
   * that may be repeated.
   * @throws Error after three minutes
   */
  until(key: string, path: string, init?: Init): Promise<Reply>;
  adminKey: string;
};

/** Nothing that is not waiting for events takes longer: a request that does counts as one without a reply. */
const patienceMs = 45_000;
const untilMs = 180_000;
const againMs = 500;

export function apiClient(urls: readonly string[], adminKey: string): ApiClient {
  const attempts: Attempt[] = [];
  let next = 0;
  const once: ApiClient['once'] = async (key, path, init = {}) => {
    const url = urls[next++ % urls.length]!;
    const attempt: Attempt = { url, method: methodOf(init), path, from: Date.now(), to: 0 };
    try {
      const reply = await send(`${url}${path}`, key, init);
      attempt.status = reply.status;
      return reply;
    } catch (error) {
      const { message, cause } = error as Error;
      attempt.error = `${message}: ${(cause as Error | undefined)?.message}`;
      return undefined;
    } finally {
      attempt.to = Date.now();
      attempts.push(attempt);
    }
  };
  return {
    urls,
    adminKey,
    attempts,
    once,
    async until(key, path, init) {
      for (const deadline = Date.now() + untilMs; Date.now() < deadline; ) {
        const reply = await once(key, path, init);
        if (reply && reply.status < 500) return reply;
        await new Promise((resolve) => setTimeout(resolve, againMs));
      }
      throw new Error(`No API has answered ${path} for ${untilMs / 1000} seconds`);
    },
  };
}

const methodOf = ({ method, json }: Init): string => method ?? (json === undefined ? 'GET' : 'POST');

async function send(url: string, key: string, init: Init): Promise<Reply> {
  const { json, headers } = init;
  const reply = await fetch(url, {
    method: methodOf(init),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: json === undefined ? undefined : JSON.stringify(json),
    signal: AbortSignal.timeout(patienceMs),
    redirect: 'manual',
  });
  const text = await reply.text();
  return { status: reply.status, headers: reply.headers, body: text === '' ? undefined : JSON.parse(text) };
}
