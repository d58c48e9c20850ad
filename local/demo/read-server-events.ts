/** One server-sent event: its name, and its data as parsed JSON. */
export type ServerEvent<Data> = { event: string; data: Data };

/**
 * Reads a `text/event-stream` (HTML Standard, section 9.2) whose data is JSON. Comments and other fields are skipped.
 */
export async function* readServerEvents<Data>(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent<Data>> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop()!;
    for (const block of blocks) {
      const fields = block.split(/\r?\n/);
      const data = valuesOf(fields, 'data').join('\n');
      if (data) yield { event: valuesOf(fields, 'event').at(-1) ?? 'message', data: JSON.parse(data) as Data };
    }
  }
}

const valuesOf = (fields: string[], name: string): string[] =>
  fields.filter((field) => field.startsWith(`${name}:`)).map((field) => field.slice(name.length + 1).replace(/^ /, ''));
