import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';

// biome-ignore lint/suspicious/noExplicitAny: a document is read as it comes
export type Json = any;
export type Method = 'get' | 'post' | 'patch' | 'delete';

/** One operation of the document, with all references of its own level resolved. */
export type Documented = { method: Method; path: string; operation: Json };

/** An OpenAPI document to hold replies against. */
export type DocumentedApi = {
  document: Json;
  operations: Documented[];
  operation(id: string): Documented;
  /** What a reference leads to; anything else is given as it is. */
  resolve(value: Json): Json;
  /** Why the value is not what the schema asks for; undefined when it is. */
  mistakeIn(schema: Json, value: unknown): string | undefined;
  /**
   * Fails unless the document has this status for the call, with the headers that are always there, and a body of that
   * content type and schema. Gives the body.
   */
  expectDocumented(method: string, path: string, reply: Response): Promise<unknown>;
  /** The same for an operation that is known already. */
  expectReply(documented: Documented, reply: Response): Promise<unknown>;
  /** Every `<operationId> <status>` that was seen by expectDocumented(). */
  seen: Set<string>;
};

const prefix = '#/components/schemas/';

/** Reads a document. Objects in replies are taken to be closed, so that a member nobody has documented is found. */
export function documentedApi(document: Json): DocumentedApi {
  const resolve = (value: Json): Json => {
    if (typeof value?.$ref !== 'string') return value;
    const target = value.$ref
      .slice(2)
      .split('/')
      .reduce((at: Json, key: string) => at?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], document);
    if (target === undefined) throw new Error(`${value.$ref} leads nowhere`);
    return resolve(target);
  };
  const operations: Documented[] = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method as Method, path, operation })),
  );
  const mistakeIn = checker(document);
  const seen = new Set<string>();
  return {
    document,
    operations,
    operation(id) {
      const found = operations.find(({ operation }) => operation.operationId === id);
      if (!found) throw new Error(`no operation ${id}`);
      return found;
    },
    resolve,
    mistakeIn,
    expectDocumented: (method, path, reply) => expectReply(operationAt(operations, method, path), reply),
    expectReply,
    seen,
  };

  async function expectReply({ method, path, operation }: Documented, reply: Response): Promise<unknown> {
    const what = `${method} ${path} → ${reply.status}`;
    seen.add(`${operation.operationId} ${reply.status}`);
    const response = resolve(operation.responses[String(reply.status)]);
    if (!response) throw new Error(`${what} is not documented: ${await reply.text()}`);
    checkHeaders(what, reply, response);
    return checkBody(what, reply, response);
  }

  function checkHeaders(what: string, reply: Response, response: Json): void {
    for (const [name, header] of Object.entries<Json>(response.headers ?? {})) {
      const { required, schema } = resolve(header);
      const value = reply.headers.get(name);
      if (value === null) expect(required, `${what}: the header ${name} is missing`).not.toBe(true);
      else expect(mistakeIn(schema, value), `${what}: ${name}: ${value}`).toBeUndefined();
    }
  }

  async function checkBody(what: string, reply: Response, { content }: Json): Promise<unknown> {
    const text = await reply.text();
    if (!content) {
      // Express writes a line into redirects, for people.
      if (![302, 308].includes(reply.status)) expect(text, what).toBe('');
      return undefined;
    }
    const type = reply.headers.get('content-type')?.split(';')[0] ?? 'none';
    const described = content[type] ?? content['*/*'];
    if (!described) throw new Error(`${what}: the type ${type} is not documented`);
    const body = /json$/.test(type) && described === content[type] ? JSON.parse(text) : text;
    expect(mistakeIn(described.schema ?? {}, body), `${what}: ${text.slice(0, 600)}`).toBeUndefined();
    return body;
  }
}

/** Fixed segments before parameters, as the specification has it. */
function operationAt(operations: Documented[], method: string, path: string): Documented {
  const bare = path.split('?')[0]!.replace(/(.)\/$/, '$1');
  const fits = ({ path: template }: Documented) =>
    new RegExp(`^${template.replace(/\{(key|index)\}/, '.+').replace(/\{\w+\}/g, '[^/]+')}$`).test(bare);
  const found = operations
    .filter((each) => each.method === method.toLowerCase() && fits(each))
    .sort((a, b) => Number(a.path.includes('{')) - Number(b.path.includes('{')));
  if (!found[0]) throw new Error(`${method} ${path} is not documented`);
  return found[0];
}

function checker(document: Json): DocumentedApi['mistakeIn'] {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: false });
  addFormats.default(ajv);
  const ofRequests = namesInRequests(document);
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    ajv.addSchema(named(ofRequests.has(name) ? schema : closed(schema)), `urn:schema:${name}`);
  }
  const compiled = new Map<string, ValidateFunction>();
  return (schema, value) => {
    const key = JSON.stringify(schema);
    const validate = compiled.get(key) ?? ajv.compile(named(schema));
    compiled.set(key, validate);
    return validate(value) ? undefined : ajv.errorsText(validate.errors);
  };
}

/** Names of schemas by which ajv knows them, instead of places in a document that it does not have. */
const named = (schema: Json): Json => JSON.parse(JSON.stringify(schema).replaceAll(`"${prefix}`, '"urn:schema:'));

function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return schema.type === 'object' && schema.properties && schema.additionalProperties === undefined
    ? { ...inner, additionalProperties: false }
    : inner;
}

/** Every schema that a request contains. */
function namesInRequests(document: Json): Set<string> {
  const names = new Set<string>();
  const collect = (value: unknown) => {
    for (const [, name] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (names.has(name!)) continue;
      names.add(name!);
      collect(document.components.schemas[name!]);
    }
  };
  for (const item of Object.values<Json>(document.paths)) {
    for (const { requestBody, parameters } of Object.values<Json>(item)) collect([requestBody ?? {}, parameters ?? []]);
  }
  return names;
}
