import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { LogLosses } from './log-writer.ts';
import type { SpanCounts } from './tracing/tracing.ts';

/** Gauges of prom-client whose names end like a counter's, which Prometheus' own lint refuses. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Of a log that is written elsewhere than by this process. */
const NOTHING_LOST: LogLosses = { dropped: 0, failing: false };

/** A registry of its own, so that two servers in one process (as in tests) do not count into each other. */
export function processRegistry(version: string, logLosses: LogLosses = NOTHING_LOST, spans?: SpanCounts): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  new Gauge({
    name: 'try_it_now_build_info',
    help: 'Always 1; the labels tell what is running.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  new Counter({
    name: 'try_it_now_log_lines_dropped_total',
    help: 'Lines of the log of this process that could not be written, as on a full disk, and are lost.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(logLosses.dropped);
    },
  });
  new Gauge({
    name: 'try_it_now_log_writable',
    help: 'Whether the newest line of the log of this process could be written: 1 yes, 0 no.',
    registers: [registry],
    collect() {
      this.set(logLosses.failing ? 0 : 1);
    },
  });
  if (spans !== undefined) countSpans(registry, spans);
  return registry;
}

function countSpans(registry: Registry, spans: SpanCounts): void {
  new Counter({
    name: 'try_it_now_spans_total',
    help: 'Spans of traces of this process: exported to the collector, or lost because it did not take them in time.',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset();
      this.inc({ outcome: 'exported' }, spans.exported);
      this.inc({ outcome: 'lost' }, spans.lost);
    },
  });
}
