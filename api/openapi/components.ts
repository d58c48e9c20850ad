import { z } from 'zod';
import { newApiKeySchema } from '../../core/access/api-keys.ts';
import { credentialsSchema } from '../../core/access/tokens-of-keys.ts';
import { erasureRequestSchema } from '../../core/events/erasure-request.ts';
import { eventInput } from '../../core/events/events.ts';
import { criteriaSchema, filterSchema } from '../../core/events/filter.ts';
import { logRestartSchema } from '../../core/evidence/log-restart.ts';
import { propertiesSchema } from '../../core/exports/columns.ts';
import { csvSchema, exportRequestSchema, sortSchema } from '../../core/exports/exports.ts';
import { auditExportSchema } from '../../core/frontegg/fields.ts';
import { newMetadataSchema } from '../../core/frontegg/metadata.ts';
import { newTenantSchema, tenantChangesSchema } from '../../core/tenants.ts';
import { webhookPatchSchema, webhookRequestSchema } from '../../core/webhooks/webhooks.ts';
import * as account from './schemas/account.ts';
import * as audits from './schemas/audit.ts';
import * as erasures from './schemas/erasure.ts';
import * as events from './schemas/event.ts';
import * as exported from './schemas/export.ts';
import * as health from './schemas/health.ts';
import * as logs from './schemas/log.ts';
import * as problems from './schemas/problem.ts';
import { pageMetaSchema, pageOf } from './schemas/reply-parts.ts';
import * as webhooks from './schemas/webhook.ts';
import { tellDefaults } from './tell-defaults.ts';

/** A JSON Schema, or any other object of an OpenAPI document. */
export type Json = Record<string, unknown>;

/** What requests are checked by: the very schemas. */
const requests = {
  NewEvent: eventInput,
  NewEventBatch: events.newEventBatchSchema,
  ExportRequest: exportRequestSchema,
  Filter: filterSchema,
  MetadataCriteria: criteriaSchema,
  Properties: propertiesSchema,
  Sort: sortSchema,
  CsvOptions: csvSchema,
  NewTenant: newTenantSchema,
  TenantChanges: tenantChangesSchema,
  LogRestart: logRestartSchema,
  NewApiKey: newApiKeySchema,
  NewErasure: erasureRequestSchema,
  NewWebhook: webhookRequestSchema,
  WebhookChanges: webhookPatchSchema,
  NewAudit: audits.newAuditSchema,
  AuditExport: auditExportSchema,
  NewMetadata: newMetadataSchema,
  Credentials: credentialsSchema,
};

/** What replies are. They are open, as members may be added to them. */
const replies = {
  Event: events.eventSchema,
  OneEvent: events.oneEventSchema,
  EventPage: events.eventPageSchema,
  EventRows: events.eventRowsSchema,
  WrittenBatch: events.writtenBatchSchema,
  WrittenStream: events.writtenStreamSchema,
  Verdict: events.verdictSchema,
  Export: exported.exportSchema,
  NewExport: exported.newExportReplySchema,
  ExportPage: exported.exportPageSchema,
  Progress: exported.progressSchema,
  Estimate: exported.estimateSchema,
  Erasure: erasures.erasureSchema,
  ErasurePage: erasures.erasurePageSchema,
  Webhook: webhooks.webhookSchema,
  WebhookWithSecret: webhooks.webhookWithSecretSchema,
  WebhookPage: webhooks.webhookPageSchema,
  Delivery: webhooks.deliverySchema,
  DeliveryPage: webhooks.deliveryPageSchema,
  ExportMessage: webhooks.exportMessageSchema,
  ErasureMessage: webhooks.erasureMessageSchema,
  PingMessage: webhooks.pingMessageSchema,
  Tenant: account.tenantSchema,
  TenantPage: pageOf(account.tenantSchema),
  SigningKey: logs.signingKeySchema,
  SigningKeySet: logs.signingKeySetSchema,
  RestartedLog: logs.restartedLogSchema,
  ApiKey: account.apiKeySchema,
  ApiKeyWithKey: account.newApiKeyReplySchema,
  ApiKeyPage: pageOf(account.apiKeySchema),
  Limit: account.limitSchema,
  Limits: account.limitsSchema,
  RegionPage: pageOf(account.regionSchema),
  Token: account.tokenSchema,
  Audit: audits.auditSchema,
  AuditPage: audits.auditPageSchema,
  AuditStats: audits.auditStatsSchema,
  AuditFigures: audits.auditFiguresSchema,
  Metadata: audits.metadataSchema,
  Liveness: health.livenessSchema,
  Readiness: health.readinessSchema,
  PageMeta: pageMetaSchema,
  Problem: problems.problemSchema,
  FronteggErrors: problems.fronteggErrorsSchema,
};

const schemas = { ...requests, ...replies };
export type SchemaName = keyof typeof schemas;

const pathOf = (name: string): string => `#/components/schemas/${name}`;

/** The schema of this name, as everything else in the document names it. */
export const ref = (name: SchemaName): Json => ({ $ref: pathOf(name) });

/** `components.schemas`: what the schemas above take, as JSON Schema; one stands where another contains it by its name. */
export function schemaComponents(): Record<string, Json> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  // Of input: what a transform makes is not what a client sends. Custom ones say by .meta() what they take.
  const made = z.toJSONSchema(registry, { io: 'input', unrepresentable: 'any', uri: pathOf });
  return Object.fromEntries(
    Object.entries(made.schemas).map(([name, { $schema, $id, ...schema }]) => [name, tellDefaults(schema) as Json]),
  );
}
