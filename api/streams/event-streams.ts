import type { Request, Response } from 'express';
import { within } from '../../core/async/within.ts';
import type { Config } from '../../core/config.ts';
import type { ExportContent } from '../../core/exports/exports.ts';
import { frameRows } from '../../core/exports/frame-rows.ts';
import { retentionByPlan } from '../../core/exports/plan-limits.ts';
import { newId } from '../../core/ids.ts';
import { unreadLimitMs } from '../../core/limits/replies.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Database } from '../../prisma/client.ts';
import { recordStream, type StreamRecord } from '../../prisma/exports/audit.ts';
import { spanOf } from '../../prisma/exports/find.ts';
import { type HeldRows, holdRows } from '../../prisma/removal/open-streams.ts';
import { type StreamReader, streamReader } from '../../prisma/rows/read-stream.ts';
import { untilReachable } from '../../prisma/until-reachable.ts';
import { auditContext } from '../access/tenant-route.ts';
import { holdingOf } from '../http/held-memory.ts';
import { meterStream } from '../http/metrics.ts';
import { requestIdOf } from '../http/request-log.ts';
import { type Sent, sendRows, setStreamHeaders } from './send-rows.ts';
import { streamPlaces, type TakePlace } from './stream-places.ts';

/** Which rows are streamed, in which form, under which status and file name. */
export type WantedStream = { tenantId: string; content: ExportContent; status?: number; fileName?: string };

/** The streams of events that a process sends. */
export type EventStreams = {
  /**
   * Answers with the rows as an export would have them, up to the tenant's sequence number of this moment. Ends when the
   * client has all or has gone, and says so in the tenant's audit log. A HEAD gets the headers alone.
   *
   * Fails as TakePlace does before the first byte. After it, whatever fails comes through once the connection is cut: a
   * part of the rows must not look like all of them.
   */
  send(request: Request, response: Response, wanted: WantedStream): Promise<void>;
  /** Waits, for a few seconds at most, until the streams that have ended are in the audit log. */
  settled(): Promise<void>;
};

type StreamDeps = {
  config: Pick<Config, 'LOGFERRY_SEGMENT_ROWS' | 'LOGFERRY_PLAN_LIMITS'>;
  database: Database;
  log: Log;
  metrics: Metrics;
  /** For tests: after how long a client who takes nothing is given up. */
  idleLimitMs?: number;
};

/** Milliseconds for which an ended stream is kept for its audit event while the database is away, and at a stop. */
const recordLimitsMs = { outage: 60_000, stop: 3_000 };

/** The one maker of event streams. Reads nothing before the first is asked for. */
export function openEventStreams(deps: StreamDeps): EventStreams {
  const takePlace = streamPlaces();
  const read = streamReader(deps.database);
  const sending = new Set<Promise<void>>();
  const recording = new Set<Promise<void>>();
  const record: SendDeps['record'] = (response, stream) => {
    const recorded = untilReachable(() => recordStream(deps.database.prisma, stream), {
      limitMs: recordLimitsMs.outage,
    });
    keep(
      recording,
      recorded.catch((err) => {
        const entry = { err, request_id: requestIdOf(response), tenant_id: stream.tenantId, rows: stream.rows };
        deps.log.error(entry, 'a stream of events is not in the audit log');
      }),
    );
  };
  return {
    send(request, response, wanted) {
      const sent = sendStream({ ...deps, takePlace, read, record }, { request, response, wanted });
      keep(sending, sent);
      return sent;
    },
    async settled() {
      const all = Promise.allSettled(sending).then(() => Promise.all(recording));
      await within(recordLimitsMs.stop, 'Recording the streams that ended', all).catch((err) =>
        deps.log.error({ err }, 'streams of events are not in the audit log'),
      );
    },
  };
}

/** Keeps a promise until it has settled. */
function keep(set: Set<Promise<void>>, promise: Promise<void>): void {
  set.add(promise);
  const forget = () => void set.delete(promise);
  promise.then(forget, forget);
}

type SendDeps = StreamDeps & {
  takePlace: TakePlace;
  read: StreamReader;
  record(response: Response, stream: StreamRecord): void;
};
type Exchange = { request: Request; response: Response; wanted: WantedStream };

async function sendStream(deps: SendDeps, exchange: Exchange): Promise<void> {
  const { request, wanted } = exchange;
  const { tenantId, content } = wanted;
  const giveBack = request.method === 'HEAD' ? () => {} : deps.takePlace({ tenantId });
  try {
    const rows = { tenantId, after: content.filter.after_sequence ?? 0 };
    const held = await holdRows(deps.database, rows, retentionByPlan(deps.config.LOGFERRY_PLAN_LIMITS));
    try {
      await sendHeld(deps, exchange, held);
    } finally {
      await held
        .giveBack()
        .catch((err) => deps.log.warn({ err, tenant_id: tenantId }, 'retention waits for a stream that has ended'));
    }
  } finally {
    giveBack();
  }
}

async function sendHeld(deps: SendDeps, { request, response, wanted }: Exchange, held: HeldRows): Promise<void> {
  const { tenantId, content, status = 200, fileName } = wanted;
  const span = await spanOf(deps.database.prisma, tenantId, content.filter);
  const { asOfSequence } = span;
  setStreamHeaders(response.status(status), { content, asOfSequence, fileName });
  if (request.method === 'HEAD') return void response.end();
  meterStream(deps.metrics, 'events_out', response);
  const by = auditContext(request, response);
  const sent: Sent = { rows: 0, neutralizedCells: 0, complete: false };
  const rows = { tenantId, content, ...span, segmentRows: deps.config.LOGFERRY_SEGMENT_ROWS };
  const open = (signal: AbortSignal) =>
    frameRows(held.reading(deps.read(rows, signal)), content, { resumed: false, rowsBefore: 0 });
  try {
    await sendRows(response, open, {
      sent,
      idleLimitMs: deps.idleLimitMs ?? unreadLimitMs.streams,
      holding: holdingOf(request, response),
    });
  } finally {
    deps.record(response, { id: newId(), tenantId, content, asOfSequence, ...sent, by });
  }
}
