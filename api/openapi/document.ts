import type { Config } from '../../core/config.ts';
import { storageEngineOf } from '../../core/engines.ts';
import { regionsOf } from '../../core/regions.ts';
import { webhookEventTypes } from '../../core/webhooks/webhooks.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { apiKeyPaths, limitPaths, tenantPaths } from './account-paths.ts';
import { auditPaths } from './audit-paths.ts';
import { type Json, ref, schemaComponents } from './components.ts';
import { eventPaths } from './event-paths.ts';
import { messageExample, pingExample } from './examples.ts';
import { exportPaths } from './export-paths.ts';
import { headerComponents } from './headers.ts';
import { operationOf, type Paths } from './operation.ts';
import { problemComponents } from './problems.ts';
import { documentPaths, filePaths, operationPaths } from './public-paths.ts';
import { tokenPaths } from './token-paths.ts';
import { webhookPaths } from './webhook-paths.ts';

export type DocumentConfig = Pick<Config, 'LOGFERRY_REGION' | 'LOGFERRY_REGIONS' | 'publicUrl' | 'storageUrl'>;

/** One tag of the document: what its operations are about, and which they are. */
type Group = { name: string; description: string; paths: Paths };

/** All groups, in the order in which they are shown. A new one is a file of paths and a line here. */
const groupsOf = (config: DocumentConfig): Group[] => [
  { name: 'events', description: 'Writing, reading and checking events', paths: eventPaths() },
  { name: 'exports', description: 'Files of events, made as jobs', paths: exportPaths() },
  { name: 'webhooks', description: 'Who is told of exports', paths: webhookPaths() },
  { name: 'tenants', description: 'Customers, for the management', paths: tenantPaths() },
  { name: 'api-keys', description: 'Who may do what', paths: apiKeyPaths() },
  { name: 'limits', description: 'What a caller has, and where', paths: limitPaths() },
  { name: 'tokens', description: 'Tokens for API keys, as clients of Frontegg ask for them', paths: tokenPaths() },
  { name: 'audits', description: 'The audits API of Frontegg, for clients that speak it', paths: auditPaths() },
  ...(storageEngineOf(config) === 'file'
    ? [{ name: 'files', description: 'Download links of the file storage', paths: filePaths() }]
    : []),
  { name: 'operations', description: 'Health and figures, for operators', paths: operationPaths() },
  { name: 'document', description: 'This document', paths: documentPaths() },
];

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

/** Builds the OpenAPI 3.1 document of this deployment: what its routes take and answer, from the schemas that check. */
export function buildDocument(config: DocumentConfig): Json {
  const groups = groupsOf(config);
  const paths = Object.assign({}, ...groups.map(pathsOf));
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

const pathsOf = ({ name, paths }: Group): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(paths).map(([path, methods]) => [
      path,
      Object.fromEntries(Object.entries(methods).map(([method, each]) => [method, operationOf(each, name)])),
    ]),
  );

/** What endpoints get, signed by the Standard Webhooks specification. */
const webhookMessages = (): Record<string, Json> =>
  Object.fromEntries(
    webhookEventTypes.map((type) => {
      const [schema, example] =
        type === 'ping' ? [ref('PingMessage'), pingExample] : [ref('ExportMessage'), { ...messageExample, type }];
      const post = {
        operationId: `on ${type}`,
        summary: type === 'ping' ? 'Asked for by hand' : `An export is ${type.slice('export.'.length)}`,
        tags: ['webhooks'],
        requestBody: { required: true, content: { 'application/json': { schema, example } } },
        responses: { '2XX': { description: 'Taken; anything else is tried again' } },
      };
      return [type, { post }];
    }),
  );
