import { NO_TRACING, type Tracing, type TracingOptions } from './tracing.ts';

/** OpenTelemetry is loaded where something is traced, and nowhere else. */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const { collector } = options.settings;
  if (collector === undefined) return NO_TRACING;
  const { startTracing } = await import('./otel-tracing.ts');
  return startTracing({ ...options, collector });
}
