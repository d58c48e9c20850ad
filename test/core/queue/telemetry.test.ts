import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import {
  type Context,
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  type TextMapPropagator,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeLog } from '../../../core/log.ts';
import type { Queue } from '../../../core/queue/queue.ts';
import { openQueue } from '../../../prisma/open-queue.ts';
import { createTestDatabase } from '../../database.ts';
import { giveBackRedis, redisService } from '../../services/services.ts';

const redisThere = await redisService();

/** As @opentelemetry/context-async-hooks has it. */
function contextManager(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (each, work, self, ...args) => storage.run(each, () => work.apply(self, args)),
    bind: (_each, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}

/** W3C Trace Context, and beside it what a process may carry of its users. */
const propagator: TextMapPropagator = {
  inject(each, carrier, setter) {
    const span = trace.getSpanContext(each);
    if (span) setter.set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-01`);
    setter.set(carrier, 'baggage', 'user=alice@example.com');
    setter.set(carrier, 'x-forwarded-user', 'alice@example.com');
  },
  extract(each, carrier, getter) {
    const [, traceId, spanId] = String(getter.get(carrier, 'traceparent') ?? '').split('-');
    if (!traceId || !spanId) return each;
    return trace.setSpanContext(each, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
  },
  fields: () => ['traceparent', 'baggage', 'x-forwarded-user'],
};

const exporter = new InMemorySpanExporter();

describe('A job with an OpenTelemetry SDK in the process', () => {
  beforeAll(() => {
    context.setGlobalContextManager(contextManager());
    propagation.setGlobalPropagator(propagator);
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  });
  afterEach(() => exporter.reset());

  const follow = async (queue: Queue) => {
    const id = randomUUID();
    const tracer = trace.getTracer('test');
    await tracer.startActiveSpan('request', async (span) => {
      await queue.enqueueExport(id);
      span.end();
    });
    const stored = (await queue.bullQueues[0]!.getJob(id))!;
    const handled: (string | undefined)[] = [];
    const worker = await queue.consume('exports', 1, async () => {
      handled.push(trace.getActiveSpan()?.spanContext().traceId);
      return { outcome: 'done' };
    });
    await vi.waitFor(() => expect(handled).toHaveLength(1), 5000);
    await worker.stop();
    const find = (name: string) => {
      const found = exporter.getFinishedSpans().filter((each) => each.name === name);
      expect(found, name).toHaveLength(1);
      return found[0]!;
    };
    const [request, add, process] = [find('request'), find('add exports.export'), find('process exports')];
    const { traceId } = request.spanContext();
    expect(add.parentSpanContext?.spanId).toBe(request.spanContext().spanId);
    expect(process.parentSpanContext?.spanId).toBe(add.spanContext().spanId);
    expect([add.spanContext().traceId, process.spanContext().traceId, ...handled]).toEqual([traceId, traceId, traceId]);
    const { spanId } = add.spanContext();
    expect(JSON.parse(stored.opts.telemetry!.metadata!)).toEqual({ traceparent: `00-${traceId}-${spanId}-01` });
    expect(JSON.stringify([stored.data, stored.opts])).not.toMatch(/alice/);
  };

  it('is connected with its handling in PostgreSQL, and carries nothing of the user', async () => {
    const database = await createTestDatabase();
    const queue = openQueue(database.url, makeLog('silent'));
    await follow(queue);
    await queue.close();
    await database.drop();
  });

  it.skipIf('missing' in redisThere)(
    'is connected with its handling in Redis, and carries nothing of the user',
    async () => {
      if ('missing' in redisThere) return;
      const queue = openQueue(redisThere.url, makeLog('silent'));
      await follow(queue);
      await queue.close();
      await giveBackRedis(redisThere.url);
    },
  );
});
