import { ROOT_CONTEXT } from '@opentelemetry/api';
import type { Telemetry } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';

/** What of a trace goes into a job (W3C Trace Context): two ids and what tracers add for themselves. */
const carried = ['traceparent', 'tracestate'];

/**
 * Spans for jobs and their handling, connected across processes; without an OpenTelemetry SDK in the process it does
 * nothing. Baggage stays here: callers put into it what they like, such as names of users, and jobs are stored as they are.
 */
export function queueTelemetry(): Telemetry {
  const { tracer, contextManager } = new BullMQOtel({ tracerName: 'logferry' });
  return {
    tracer,
    contextManager: {
      active: () => contextManager.active(),
      with: (context, work) => contextManager.with(context, work),
      fromMetadata: (context, metadata) => contextManager.fromMetadata(context, metadata),
      // Loops of a worker outlive whatever span was active when it began.
      root: () => ROOT_CONTEXT,
      getMetadata(context) {
        const members = Object.entries(JSON.parse(contextManager.getMetadata(context)));
        const kept = members.filter(([name]) => carried.includes(name));
        return kept.length === 0 ? '' : JSON.stringify(Object.fromEntries(kept));
      },
    },
  };
}
