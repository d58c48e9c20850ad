import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { buildDocument } from '../../../api/openapi/document.ts';
import { groupsOf } from '../../../api/routes.ts';
import { scopes } from '../../../core/access/api-keys.ts';
import { type DocumentedApi, documentedApi, type Json } from './documented-api.ts';

const config = {
  LOGFERRY_REGION: 'eu',
  LOGFERRY_REGIONS: { us: 'https://us.example.com/audit/' },
  publicUrl: 'https://eu.example.com',
  storageUrl: 'file:///files',
};
/** As a client has it. */
const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value));
const document = asJson(buildDocument(config, groupsOf(config)));
const api: DocumentedApi = documentedApi(document);

/** Every object inside, with where it stands. */
function* inside(value: Json, path = '#'): Generator<{ path: string; value: Json }> {
  if (typeof value !== 'object' || value === null) return;
  yield { path, value };
  for (const [key, inner] of Object.entries(value)) yield* inside(inner, `${path}/${key}`);
}
const all = [...inside(document)];

describe('The OpenAPI document', () => {
  it('is valid OpenAPI 3.1 by the official schema', async () => {
    expect(await new Validator().validate(asJson(document))).toEqual({ valid: true });
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
  });

  it('has only references that lead somewhere, and no component that nothing refers to', () => {
    const used = new Set<string>();
    for (const { value } of all) {
      if (typeof value.$ref !== 'string') continue;
      expect(api.resolve(value), value.$ref).toBeDefined();
      used.add(value.$ref);
    }
    const components = Object.entries<Json>(document.components).filter(([kind]) => kind !== 'securitySchemes');
    const unused = components
      .flatMap(([kind, each]) => Object.keys(each).map((name) => `#/components/${kind}/${name}`))
      .filter((name) => !used.has(name));
    expect(unused).toEqual([]);
  });

  it('has schemas that compile, whose examples and defaults are what they ask for', () => {
    const mistakes = all
      .filter(({ value }) => value.type !== undefined && !Array.isArray(value))
      .flatMap(({ path, value }) =>
        [...(Array.isArray(value.examples) ? value.examples : []), ...('default' in value ? [value.default] : [])].map(
          (example) => ({ path, mistake: api.mistakeIn(value, example) }),
        ),
      );
    expect(mistakes.filter(({ mistake }) => mistake !== undefined)).toEqual([]);
    expect(mistakes.length).toBeGreaterThan(5);
  });

  it('has an example for every JSON body, and every example is what its schema asks for', () => {
    let count = 0;
    for (const { path, value } of all) {
      for (const [type, each] of Object.entries<Json>(value.content ?? {})) {
        if (!/json$/.test(type)) continue;
        const examples = [
          ...('example' in each ? [each.example] : []),
          ...Object.values<Json>(each.examples ?? {}).map((example) => example.value),
        ];
        expect(examples.length, `${path} ${type}`).toBeGreaterThan(0);
        for (const example of examples) {
          expect(api.mistakeIn(each.schema, example), `${path} ${type}`).toBeUndefined();
          count++;
        }
      }
    }
    expect(count).toBeGreaterThan(60);
  });

  it('names each operation once, with a summary, a known tag, and who may call it', () => {
    const ids = api.operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = document.tags.map(({ name }: Json) => name);
    for (const { path, operation } of api.operations) {
      expect(operation.summary, path).toMatch(/^[A-Z].*[^.]$/);
      expect(tags, path).toEqual(expect.arrayContaining(operation.tags));
      for (const requirement of operation.security) {
        const [[scheme, needed]] = Object.entries<string[]>(requirement) as [[string, string[]]];
        expect(document.components.securitySchemes).toHaveProperty(scheme);
        expect([...scopes, 'management']).toEqual(expect.arrayContaining(needed));
      }
    }
  });

  it('has a parameter for every place in a path', () => {
    for (const { path, operation } of api.operations) {
      const places = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const inPath = (operation.parameters ?? []).filter((each: Json) => each.in === 'path');
      expect(inPath.map((each: Json) => each.name)).toEqual(places);
    }
  });

  it('names the base URLs of all regions, its own first', () => {
    expect(document.servers.map(({ url }: Json) => url)).toEqual([
      'https://eu.example.com',
      'https://us.example.com/audit',
    ]);
  });

  it('has the links of the file storage only where files lie there', () => {
    expect(document.paths).toHaveProperty(['/files/{key}']);
    const onS3 = asJson(buildDocument(config, groupsOf({ storageUrl: 's3://bucket' })));
    expect(onS3.paths).not.toHaveProperty(['/files/{key}']);
  });

  describe('has of what code refuses', () => {
    const schema = (name: string) => ({ $ref: `#/components/schemas/${name}` });
    it.each<[string, unknown]>([
      ['NewEvent', { action: 'a', severity: 'hIGH', context: { ip: null, any: 1 }, metadata: { __proto__x: [] } }],
      ['Filter', { metadata: { 'a.b[0]["c.d"]': { $in: [1, 'x', null] }, e: true } }],
      ['Properties', [{ name: 'metadata.a["b.c"][0]', displayName: 'Ü' }, { name: 'actor.id' }]],
      ['ExportRequest', { format: 'csv', csv: { delimiter: '\t' }, file_name: 'Größe.csv' }],
      ['NewWebhook', { url: 'https://example.com', events: ['export.*'] }],
    ])('what %s takes', (name, value) => {
      expect(api.mistakeIn(schema(name), value)).toBeUndefined();
    });

    it.each<[string, unknown]>([
      ['NewEvent', { action: 'a', severity: 'Severe' }],
      ['NewEvent', { action: 'a\0' }],
      ['NewEvent', { action: 'a\ud800' }],
      ['NewEvent', { action: 'a', context: { ip: 1 } }],
      ['NewEvent', { action: 'a', metadata: [1] }],
      ['NewEvent', { action: 'a', occurred_at: '2026-11-22' }],
      ['NewEvent', { acton: 'a' }],
      ['Filter', { metadata: { a: { $like: 'x' } } }],
      ['Filter', { metadata: { a: { $gt: true } } }],
      ['Filter', { metadata: { 'a..b': 1 } }],
      ['Filter', { from: 'yesterday' }],
      ['Filter', { severity: ['Info', 'None'] }],
      ['Properties', [{ name: 'actor.nick' }]],
      ['Properties', [{ name: 'action.x' }]],
      ['ExportRequest', { format: 'json', csv: {} }],
      ['ExportRequest', { format: 'csv', file_name: 'a/b' }],
      ['ExportRequest', { format: 'csv', file_name: ' ' }],
      ['ExportRequest', { format: 'csv', webhook: { url: 'https://example.com', secret: 'whsec_short' } }],
      ['NewWebhook', { url: 'https://example.com', events: ['export.done'] }],
      ['TenantChanges', {}],
      ['NewTenant', { name: 'a', external_id: ' a' }],
    ])('what %s refuses: %j', (name, value) => {
      expect(api.mistakeIn(schema(name), value)).toBeDefined();
    });
  });
});
