import type { Config } from '../../core/config.ts';
import { regionsOf } from '../../core/regions.ts';
import { webhookEventTypes } from '../../core/webhooks/webhooks.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { type Json, ref, schemaComponents } from './components.ts';
import type { Operation } from './described.ts';
import { erasureMessageExample, messageExample, pingExample } from './examples.ts';
import { headerComponents } from './headers.ts';
import { operationOf } from './operation.ts';
import { problemComponents } from './problems.ts';

export type DocumentConfig = Pick<Config, 'LOGFERRY_REGION' | 'LOGFERRY_REGIONS' | 'publicUrl'>;

/** One tag of the document: what its operations are about, and which they are. */
export type Group = { name: string; description: string; operations: readonly Operation[] };

const about = `Exports audit logs. Errors are problem documents (RFC 9457); lists take \`limit\` and \`cursor\`.

Send \`Authorization: Bearer <key or token>\`, or the same in \`x-access-token\`. A management key acts for the tenant that
the header \`Logferry-Tenant\` names. Each operation names the scope that it needs.

A request may bring its own \`X-Request-Id\`; every reply has one. Every GET can be asked as HEAD.`;

const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key (`lf_sk_…`, `lf_admin_…`), a token of POST /auth/vendor, or a token of a user',
  },
  accessToken: {
    type: 'apiKey',
    in: 'header',
    name: 'x-access-token',
    description: 'The same, as SDKs of Frontegg send it',
  },
};

/**
 * Builds the OpenAPI 3.1 document of this deployment: what its routes take and answer, from the schemas that check.
 * @param groups in the order in which they are shown
 */
export function buildDocument(config: DocumentConfig, groups: readonly Group[]): Json {
  const paths = pathsOf(groups);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Logferry',
      version: packageJson.version,
      summary: packageJson.description,
      description: about,
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    servers: serversOf(config),
    tags: groups.map(({ name, description }) => ({ name, description })),
    paths,
    webhooks: webhookMessages(),
    components: {
      schemas: schemaComponents(),
      responses: problemComponents(paths),
      headers: headerComponents(),
      securitySchemes,
    },
  };
}

/** Base URLs of all regions, this one first. */
function serversOf(config: DocumentConfig): Json[] {
  const urls = regionsOf(config);
  const here = config.LOGFERRY_REGION;
  const others = Object.keys(urls).filter((region) => region !== here);
  return [here, ...others].map((region) => ({
    url: urls[region]!.replace(/\/+$/, ''),
    description: `Region ${region}`,
  }));
}

function pathsOf(groups: readonly Group[]): Record<string, Json> {
  const paths: Record<string, Json> = {};
  for (const { name, operations } of groups) {
    for (const each of operations) {
      // What Express calls :id or *key is {id} or {key} there.
      const path = each.path.replaceAll(/[:*](\w+)/g, '{$1}');
      paths[path] = { ...paths[path], [each.method]: operationOf(each, name) };
    }
  }
  return paths;
}

/** What endpoints get, signed by the Standard Webhooks specification. */
const webhookMessages = (): Record<string, Json> =>
  Object.fromEntries(
    webhookEventTypes.map((type) => {
      const { summary, schema, example } = messageOf(type);
      const post = {
        operationId: `on ${type}`,
        summary,
        tags: ['webhooks'],
        requestBody: { required: true, content: { 'application/json': { schema: ref(schema), example } } },
        responses: { '2XX': { description: 'Taken; anything else is tried again' } },
      };
      return [type, { post }];
    }),
  );

function messageOf(type: (typeof webhookEventTypes)[number]) {
  if (type === 'ping') return { summary: 'Asked for by hand', schema: 'PingMessage' as const, example: pingExample };
  if (type === 'erasure.completed')
    return { summary: 'An erasure is completed', schema: 'ErasureMessage' as const, example: erasureMessageExample };
  const summary = `An export is ${type.slice('export.'.length)}`;
  return { summary, schema: 'ExportMessage' as const, example: { ...messageExample, type } };
}
