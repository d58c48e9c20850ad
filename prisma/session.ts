/**
 * How a session begins: settings of ours (`-c name=value`) beside those that an operator wrote into the URL as `options`.
 * In pg, those of the URL would take the place of ours, and a session would not run in UTC, or not find its tables.
 *
 * PostgreSQL goes by the last of several: `defaults` give way to those of the URL, `fixed` to none.
 */
export function sessionOf(url: string, { fixed, defaults = [] }: { fixed: string[]; defaults?: string[] }) {
  const [address = '', query = ''] = split(url);
  const parameters = new URLSearchParams(query);
  const given = parameters.getAll('options');
  parameters.delete('options');
  const settings = (each: string[]) => each.map((setting) => `-c ${setting}`);
  return {
    connectionString: given.length === 0 ? url : [address, String(parameters)].filter(Boolean).join('?'),
    options: [...settings(defaults), ...given, ...settings(fixed)].join(' '),
  };
}

const split = (url: string): string[] => {
  const at = url.indexOf('?');
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)];
};
