import { type Scope, scopes } from '../../core/access/api-keys.ts';
import type { ErrorType } from '../../core/errors.ts';
import type { Json } from './components.ts';
import type { Caller, Operation, Reply } from './described.ts';
import { headersOf, limitedHeaders } from './headers.ts';
import { actingFor, type Parameter } from './parameters.ts';
import { type ErrorFamily, errorReplies } from './problems.ts';
import { tellDefaults } from './tell-defaults.ts';

/** The Operation Object of what is described. */
export function operationOf(described: Operation, tag: string): Json {
  const { id, summary, description, by, body, replies, errorFamily = 'problem' } = described;
  const parameters = [...(described.parameters ?? []), ...(described.ofNoTenant ? [] : headersFor(by, errorFamily))];
  return {
    operationId: id,
    summary,
    ...(description && { description }),
    tags: [tag],
    security: securityOf(by),
    ...(parameters.length > 0 && { parameters: parameters.map(tellDefaults) }),
    ...(body && { requestBody: { required: !described.bodyIsOptional, content: body } }),
    responses: {
      ...Object.fromEntries(Object.entries(replies).map(([status, each]) => [status, replyOf(each, described)])),
      ...errorReplies(errorsOf(described), errorFamily),
    },
  };
}

function replyOf({ headers = [], ...each }: Reply, { by, errorFamily }: Operation): Json {
  const common = by === 'public' ? (['X-Request-Id'] as const) : limitedHeaders;
  const trace = errorFamily === 'frontegg' ? (['frontegg-trace-id'] as const) : [];
  return { ...each, headers: headersOf([...common, ...trace, ...headers]) };
}

const isScope = (by: Caller): by is Scope => scopes.some((scope) => scope === by);
/** Those for whom the header with the tenant means something. */
const actsForTenant = (by: Caller): boolean => isScope(by) || by === 'any key' || by === 'key management';

const headersFor = (by: Caller, family: ErrorFamily): Parameter[] =>
  actsForTenant(by) ? [actingFor(family === 'frontegg' ? 'frontegg-tenant-id' : 'Logferry-Tenant')] : [];

/** OpenAPI 3.1 lets a requirement name what a key must be allowed to do. */
function securityOf(by: Caller): Json[] {
  if (by === 'public' || by === 'anybody') return [];
  const needed = isScope(by)
    ? [by]
    : by === 'management'
      ? ['management']
      : by === 'key management'
        ? ['keys:manage']
        : [];
  return [{ bearer: needed }, { accessToken: needed }];
}

function errorsOf({ by, plan, body, parameters = [], errors = [], anyQuery, ofNoTenant }: Operation): ErrorType[] {
  const all: ErrorType[] = ['server_error', ...errors];
  if (by !== 'public') all.push('rate_limit_exceeded', 'unavailable');
  if (by !== 'public' && by !== 'anybody') {
    all.push('authentication_error');
    if (by !== 'any key') all.push('scope_error');
  }
  if (actsForTenant(by) && !ofNoTenant) all.push('not_found', 'misdirected_request', 'conflict');
  // The management must say for whom it acts.
  if (isScope(by) && !ofNoTenant) all.push('bad_request');
  if (plan) all.push('plan_feature_unavailable');
  if (body) all.push('bad_request', 'payload_too_large', 'unsupported_media_type', 'validation_error');
  if (parameters.some((each) => each.in === 'path')) all.push('bad_request', 'not_found');
  if (by !== 'public' && !anyQuery) all.push('validation_error');
  return all;
}
