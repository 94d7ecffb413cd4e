import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { SpanCounts } from './tracing.ts';

/** Counts what reaches the collector, and says once when it stops taking spans, and when it takes them again. */
export class TellingExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  readonly #log: Log;
  readonly #counts: { exported: number; lost: number };
  #failing = false;

  constructor(inner: SpanExporter, counts: { exported: number; lost: number } & SpanCounts, log: Log) {
    this.#inner = inner;
    this.#counts = counts;
    this.#log = log;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#inner.export(spans, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.#taken(spans.length);
      else this.#refused(spans.length, result.error);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }

  #taken(spans: number): void {
    this.#counts.exported += spans;
    if (!this.#failing) return;
    this.#failing = false;
    this.#log.info({ lost: this.#counts.lost }, 'The collector takes traces again');
  }

  #refused(spans: number, error: Error | undefined): void {
    this.#counts.lost += spans;
    if (this.#failing) return;
    this.#failing = true;
    this.#log.warn(
      { reason: describeError(error) },
      'The collector takes no traces (OTEL_EXPORTER_OTLP_ENDPOINT); they are lost until it does, all else goes on',
    );
  }
}
