/** The API refused a call; the message is one line with its own words. */
export class RefusedError extends Error {
  readonly status: number;

  constructor(what: string, status: number, body: string) {
    super(`${what} answered ${status}: ${detailOf(body)}`);
    this.name = 'RefusedError';
    this.status = status;
  }
}

/** Who calls: the API's base URL and the key. */
export type Caller = { url: string; key: string };

export type Call = { method?: string; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal };

/** A request to the API whose reply is good. @throws RefusedError otherwise */
export async function fetchApi({ url, key }: Caller, path: string, call: Call = {}): Promise<Response> {
  const { method = call.body === undefined ? 'GET' : 'POST', body, headers, signal } = call;
  const response = await fetch(`${url}${path}`, {
    method,
    signal,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) return response;
  throw new RefusedError(`${method} ${path}`, response.status, await response.text());
}

/** Calls the API and gives the JSON of its reply. @throws RefusedError when it refuses */
export async function callApi<Reply>(caller: Caller, path: string, call?: Call): Promise<Reply> {
  return (await (await fetchApi(caller, path, call)).json()) as Reply;
}

/** The `detail` of a problem document. */
function detailOf(body: string): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: string };
    if (detail) return detail;
  } catch {
    // No problem document: the text itself is all there is.
  }
  return body.replaceAll(/\s+/g, ' ').slice(0, 300) || 'without a reason';
}
