import { readAuditStats } from './audit-stats.ts';
import { createAudit } from './create-audit.ts';
import { exportAuditRoutes } from './export-audits.ts';
import { readAuditFigures } from './figures.ts';
import { listAuditRoutes } from './list-audits.ts';
import { metadataRoutes } from './metadata.ts';

/** /audits and /metadata, as Frontegg's clients call them. Each finds out by itself about which tenants it is. */
export const auditRoutes = [
  ...listAuditRoutes,
  createAudit,
  readAuditStats,
  ...exportAuditRoutes,
  readAuditFigures,
  ...metadataRoutes,
];
