import type { Scope } from '../../core/access/api-keys.ts';
import type { ErrorType } from '../../core/errors.ts';
import type { Plan } from '../../core/tenants.ts';
import { type Json, ref, type SchemaName } from './components.ts';
import type { HeaderName } from './headers.ts';
import type { Parameter } from './parameters.ts';
import type { ErrorFamily } from './problems.ts';

export type Method = 'get' | 'post' | 'patch' | 'delete';

/**
 * Who may call: anybody, past access control (`public`) or behind it, where requests are counted (`anybody`); any key or token; a
 * management key; one that may manage keys; or one of a tenant with the scope.
 */
export type Caller = 'public' | 'anybody' | 'any key' | 'management' | 'key management' | Scope;

/** What is said of a call, to clients and to what checks requests. The errors that follow from that need not be listed. */
export type Operation = {
  id: string;
  method: Method;
  /** As Express takes it: `/v1/exports/:id`. */
  path: string;
  summary: string;
  description?: string;
  by: Caller;
  /** The least plan of the tenant. */
  plan?: Plan;
  /** Query parameters that are not among them are refused. */
  parameters?: readonly Parameter[];
  /** By content type. */
  body?: Record<string, Json>;
  bodyIsOptional?: true;
  replies: Record<number, Reply>;
  /** Those that do not follow from the rest. */
  errors?: readonly ErrorType[];
  /** Is about no tenant, whoever calls. */
  ofNoTenant?: true;
  /** Takes any query parameter. */
  anyQuery?: true;
  errorFamily?: ErrorFamily;
};

export type Reply = { description: string; headers?: readonly HeaderName[]; content?: Record<string, Json> };

/** A JSON reply with its example. */
export const reply = (
  description: string,
  { schema, example, headers = [] }: { schema: SchemaName; example: unknown; headers?: readonly HeaderName[] },
): Reply => ({ description, headers, content: { 'application/json': { schema: ref(schema), example } } });

/** A JSON body with its examples by name. */
export const jsonContent = (schema: SchemaName, examples: Record<string, unknown>): Record<string, Json> => ({
  'application/json': {
    schema: ref(schema),
    examples: Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }])),
  },
});
