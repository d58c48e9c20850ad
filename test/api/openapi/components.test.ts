import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDocument } from '../../../api/openapi/document.ts';
import { groupsOf } from '../../../api/routes.ts';
import { newApiKeySchema } from '../../../core/access/api-keys.ts';
import { credentialsSchema } from '../../../core/access/tokens-of-keys.ts';
import { filterSchema } from '../../../core/events/filter.ts';
import { readNewEvent } from '../../../core/events/new-event.ts';
import { exportRequestSchema } from '../../../core/exports/exports.ts';
import { auditExportSchema } from '../../../core/frontegg/fields.ts';
import { newMetadataSchema } from '../../../core/frontegg/metadata.ts';
import { newTenantSchema, tenantChangesSchema } from '../../../core/tenants.ts';
import { webhookPatchSchema, webhookRequestSchema } from '../../../core/webhooks/webhooks.ts';
import { arbitraryJson } from './arbitrary-request.ts';
import { documentedApi } from './documented-api.ts';

const config = { LOGFERRY_REGION: 'eu', LOGFERRY_REGIONS: {}, publicUrl: 'http://127.0.0.1', storageUrl: 'file:///x' };
const api = documentedApi(JSON.parse(JSON.stringify(buildDocument(config, groupsOf(config)))));

/** Whether the code takes it. */
const code: Record<string, (value: unknown) => boolean> = {
  NewEvent: (value) => 'event' in readNewEvent(value),
  ExportRequest: (value) => exportRequestSchema.safeParse(value).success,
  Filter: (value) => filterSchema.safeParse(value).success,
  NewWebhook: (value) => webhookRequestSchema.safeParse(value).success,
  WebhookChanges: (value) => webhookPatchSchema.safeParse(value).success,
  NewTenant: (value) => newTenantSchema.safeParse(value).success,
  TenantChanges: (value) => tenantChangesSchema.safeParse(value).success,
  NewApiKey: (value) => newApiKeySchema.safeParse(value).success,
  AuditExport: (value) => auditExportSchema.safeParse(value).success,
  NewMetadata: (value) => newMetadataSchema.safeParse(value).success,
  Credentials: (value) => credentialsSchema.safeParse(value).success,
};

describe('The JSON Schema of requests, for whatever is made up', () => {
  it.each(Object.entries(code))(
    '%s takes what the code takes, and refuses what it refuses as far as it can',
    (name, isTaken) => {
      const schema = { $ref: `#/components/schemas/${name}` };
      const counts = { taken: 0, refused: 0, missed: 0 };
      for (const value of fc.sample(arbitraryJson(api, schema), { seed: 20261122, numRuns: 500 })) {
        const mistake = api.mistakeIn(schema, value);
        // An empty list in place of an object, as PHP writes one, is taken and not told of.
        if (/must be object/.test(mistake ?? '') && isTaken(value)) continue;
        if (isTaken(value)) {
          counts.taken++;
          // Whether it is a URL is checked apart (core/webhooks/webhook-address.ts).
          if (!/format "uri"/.test(mistake ?? '')) expect(mistake, JSON.stringify(value)).toBeUndefined();
        } else {
          counts.refused++;
          if (mistake === undefined) counts.missed++;
        }
      }
      expect(counts.taken).toBeGreaterThan(20);
      expect(counts.refused).toBeGreaterThan(50);
      // What no JSON Schema can say: that one member is beyond another, that a pattern matches no type of event.
      expect(counts.missed).toBeLessThan(counts.refused * (/Export|Filter|Webhook/.test(name) ? 0.6 : 0.05));
    },
  );
});
