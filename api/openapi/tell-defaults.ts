type Json = Record<string, unknown>;

/**
 * The same schema with its defaults told in words. Generators of clients take a member with a `default` for one that is always
 * there, also in a request (openapi-typescript), or send it by themselves (openapi-python-client).
 */
export function tellDefaults(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(tellDefaults);
  const { default: value, ...rest } = schema as Json;
  const told = Object.fromEntries(Object.entries(rest).map(([name, inner]) => [name, tellDefaults(inner)]));
  if (!('default' in schema)) return told;
  return {
    ...told,
    description: [told.description, `Default: \`${JSON.stringify(value)}\``].filter(Boolean).join('. '),
  };
}
