import type { Metrics, metricList } from '../core/metrics.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import type { Checkpoint, Run } from '../prisma/exports/runs.ts';
import type { ExportRow } from '../prisma/exports/view.ts';

/** Enters a run that begins into the metrics, and how long its export has waited for its first. Gives what enters its end. */
export function meterRun(metrics: Metrics, row: ExportRow, run: Run): () => void {
  const begunAt = performance.now();
  metrics.add('logferry_export_runs_running', 1);
  if (run.epoch === 1 && row.startedAt) {
    metrics.observe('logferry_export_wait_seconds', (row.startedAt.getTime() - row.createdAt.getTime()) / 1000);
  }
  return () => {
    metrics.add('logferry_export_runs_running', -1);
    metrics.observe('logferry_export_run_seconds', (performance.now() - begunAt) / 1000);
  };
}

type RunOutcome = (typeof metricList)['logferry_export_runs_total']['labels']['outcome'][number];

/** Enters in which way a run has ended; each ends in one. */
export const countRun = (metrics: Metrics, outcome: RunOutcome): void =>
  metrics.add('logferry_export_runs_total', 1, { outcome });

/** Enters an export that is completed now. Its creation was stamped by another machine, so seconds may be off by its clock. */
export function meterCompletion(metrics: Metrics, row: ExportRow): void {
  metrics.add('logferry_exports_ended_total', 1, { outcome: 'completed' });
  metrics.observe('logferry_export_seconds', (Date.now() - row.createdAt.getTime()) / 1000);
}

/** The store, with every attempt to put a part counted. */
export const meterStore = (metrics: Metrics, store: ObjectStore): Pick<ObjectStore, 'putPart'> => ({
  async putPart(upload, part, options) {
    let outcome: 'stored' | 'failed' = 'failed';
    try {
      const receipt = await store.putPart(upload, part, options);
      outcome = 'stored';
      return receipt;
    } finally {
      metrics.add('logferry_parts_total', 1, { outcome });
    }
  },
});

/** Enters parts as they are checkpointed. @param rowsBefore rows of the file that runs before have written */
export function meterCheckpoints(metrics: Metrics, rowsBefore: number): (checkpoint: Checkpoint) => void {
  let rowsSoFar = rowsBefore;
  return ({ part, rows }) => {
    metrics.add('logferry_exported_bytes_total', part.bytes);
    metrics.add('logferry_exported_rows_total', rows - rowsSoFar);
    rowsSoFar = rows;
  };
}
