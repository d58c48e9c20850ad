import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type MetricName, makeMetrics, metricList } from '../../core/metrics.ts';
import { readMetrics, valueIn } from './read-metrics.ts';

const names = Object.keys(metricList) as MetricName[];
const scraped = async (metrics = makeMetrics()) => readMetrics((await metrics.scrape()).text);

describe('The list of metrics', () => {
  it('is named by the conventions: a prefix, a base unit, and _total for counters and them alone', () => {
    const wrong = names.filter((name) => {
      const { type } = metricList[name];
      const hasUnit = /_(seconds|bytes)(_total)?$/.test(name);
      return (
        !/^logferry_[a-z]+(_[a-z]+)*$/.test(name) ||
        (type === 'counter') !== name.endsWith('_total') ||
        (type === 'histogram' && !hasUnit) ||
        /_(ms|milliseconds|minutes|mib|kb|count|sum|bucket)(_|$)/.test(name)
      );
    });
    expect(wrong).toEqual([]);
  });

  it('has no label whose values grow with use', () => {
    const labels = names.flatMap((name) => Object.keys((metricList[name] as { labels?: object }).labels ?? {}));
    expect(labels.filter((label) => /tenant|export|delivery|key|path|url|id$/.test(label))).toEqual([]);
  });

  it('stands in docs/operate.md, metric by metric, with the labels', () => {
    const document = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'operate.md'), 'utf8');
    const rows = new Map(
      [...document.matchAll(/^\| `(logferry_\w+)(?:\{([\w, ]*)\})?` \|/gm)].map(([, name, labels]) => [
        name,
        labels ?? '',
      ]),
    );
    const expected = names.map((name) => [
      name,
      Object.keys((metricList[name] as { labels?: object }).labels ?? {}).join(', '),
    ]);
    expect([...rows].sort()).toEqual(expected.sort());
  });
});

describe('A scrape', () => {
  it('can be read by a strict reader, with every metric, its help and its type', async () => {
    const families = await scraped();
    expect([...families.keys()].sort()).toEqual([...names].sort());
    for (const name of names) expect(families.get(name)).toMatchObject(pick(name));
  });

  it('can be read with the figures of the process, and with label values of any kind', async () => {
    const metrics = makeMetrics();
    metrics.addProcessFigures();
    const route = 'a "quoted" \\ one\nwith a line\u00e9';
    metrics.add('logferry_http_requests_total', 1, { route, method: 'GET', status: '200' });
    metrics.observe('logferry_http_request_seconds', 0.3, { route, method: 'GET' });
    const families = await scraped(metrics);
    expect(valueIn(families, 'logferry_http_requests_total', { route, method: 'GET', status: '200' })).toBe(1);
    expect(valueIn(families, 'process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(families.has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
  });

  it('begins each counter whose labels are known at 0, so that the first event is an increase', async () => {
    const families = await scraped();
    for (const outcome of ['completed', 'failed', 'canceled', 'expired'])
      expect(valueIn(families, 'logferry_exports_ended_total', { outcome })).toBe(0);
    expect(valueIn(families, 'logferry_exported_bytes_total')).toBe(0);
    expect(valueIn(families, 'logferry_http_streams', { kind: 'progress' })).toBe(0);
  });

  it('tells what was counted, set and observed, and no negative length', async () => {
    const metrics = makeMetrics();
    metrics.add('logferry_exports_ended_total', 1, { outcome: 'completed' });
    metrics.add('logferry_exported_rows_total', 5000);
    metrics.add('logferry_export_runs_running', 2);
    metrics.add('logferry_export_runs_running', -1);
    metrics.observe('logferry_export_seconds', 3);
    metrics.observe('logferry_export_seconds', -3);
    const families = await scraped(metrics);
    expect(valueIn(families, 'logferry_exports_ended_total', { outcome: 'completed' })).toBe(1);
    expect(valueIn(families, 'logferry_exported_rows_total')).toBe(5000);
    expect(valueIn(families, 'logferry_export_runs_running')).toBe(1);
    expect(valueIn(families, 'logferry_export_seconds_sum')).toBe(3);
    expect(valueIn(families, 'logferry_export_seconds_bucket', { le: '0.1' })).toBe(1);
    expect(valueIn(families, 'logferry_export_seconds_count')).toBe(2);
  });

  it('leaves out a gauge that is not known', async () => {
    const metrics = makeMetrics();
    metrics.set('logferry_exports_due', 3);
    metrics.set('logferry_exports', 3, { status: 'queued' });
    metrics.unset('logferry_exports_due');
    metrics.unset('logferry_exports');
    const families = await scraped(metrics);
    expect(families.get('logferry_exports_due')!.samples).toEqual([]);
    expect(families.get('logferry_exports')!.samples).toEqual([]);
  });

  it('asks each collector, and answers although one fails', async () => {
    const metrics = makeMetrics();
    metrics.beforeScrape(() => {
      throw new Error('at once');
    });
    metrics.beforeScrape(() => Promise.reject(new Error('later')));
    metrics.beforeScrape(async () => metrics.set('logferry_exports_due', 7));
    expect(valueIn(await scraped(metrics), 'logferry_exports_due')).toBe(7);
  });

  it('belongs to one process: two have nothing in common', async () => {
    const [one, other] = [makeMetrics(), makeMetrics()];
    one.add('logferry_events_written_total', 1);
    expect(valueIn(await scraped(other), 'logferry_events_written_total')).toBe(0);
  });

  it('shows the figures of another process with its own: counts added up, what both read from the database once', async () => {
    const [api, worker] = [makeMetrics(), makeMetrics()];
    api.addProcessFigures();
    for (const each of [api, worker]) {
      each.add('logferry_exports_ended_total', 2, { outcome: 'canceled' });
      each.set('logferry_exports_due', 3);
      each.observe('logferry_export_seconds', 1);
    }
    // Between processes they are JSON.
    api.addFiguresOf(async () => JSON.parse(JSON.stringify(await worker.figures())));
    api.addFiguresOf(() => Promise.reject(new Error('gone')));
    const families = await scraped(api);
    expect(valueIn(families, 'logferry_exports_ended_total', { outcome: 'canceled' })).toBe(4);
    expect(valueIn(families, 'logferry_exports_ended_total', { outcome: 'failed' })).toBe(0);
    expect(valueIn(families, 'logferry_exports_due')).toBe(3);
    expect(valueIn(families, 'logferry_export_seconds_count')).toBe(2);
    expect(valueIn(families, 'logferry_export_seconds_bucket', { le: '1' })).toBe(2);
    expect(valueIn(families, 'process_start_time_seconds')).toBeGreaterThan(0);
  });

  it('shows how long the event loop was held up', async () => {
    const metrics = makeMetrics();
    metrics.addProcessFigures();
    const heldUp = async () => {
      const families = await scraped(metrics);
      const count = valueIn(families, 'logferry_event_loop_delay_seconds_count')!;
      return count - valueIn(families, 'logferry_event_loop_delay_seconds_bucket', { le: '0.1' })!;
    };
    const until = performance.now() + 300;
    while (performance.now() < until);
    await expect.poll(heldUp).toBeGreaterThan(0);
  });
});

const pick = (name: MetricName) => ({ type: metricList[name].type, help: metricList[name].help });
