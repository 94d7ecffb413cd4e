import { type Attributes, type Context, type Link, type SpanKind, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type ReadableSpan,
  type Sampler,
  type SamplingResult,
  type Span,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { withDeadline } from '../../lifecycle/deadline.ts';
import { OtelTracer } from './otel-tracer.ts';
import { TellingExporter } from './telling-exporter.ts';
import { tracesAt, type Tracing, type TracingOptions, type TracingSettings } from './tracing.ts';

/** Some 2 MB at most; a collector that is away for longer than a few seconds costs traces and no memory. */
const MOST_WAITING = 4_096;
const BATCH = 512;
/** How long a span waits for others to be sent with. */
const SEND_AFTER_MS = 1_000;
/** A collector that does not answer is left by then, with all that was tried anew meanwhile. */
const SEND_WITHIN_MS = 5_000;
const CLOSE_WITHIN_MS = 2_000;

/** By chance, and what a traced span led to always. */
class RatioOrLinked implements Sampler {
  readonly #ratio: TraceIdRatioBasedSampler;

  constructor(ratio: number) {
    this.#ratio = new TraceIdRatioBasedSampler(ratio);
  }

  shouldSample(
    context: Context,
    traceId: string,
    _name: string,
    _kind: SpanKind,
    _attributes: Attributes,
    links: Link[],
  ): SamplingResult {
    if (links.some((link) => (link.context.traceFlags & TraceFlags.SAMPLED) !== 0))
      return { decision: SamplingDecision.RECORD_AND_SAMPLED };
    return this.#ratio.shouldSample(context, traceId);
  }

  toString(): string {
    return `RatioOrLinked{${this.#ratio.toString()}}`;
  }
}

/** Counts what the batches have no room for, which they drop without a word. */
class BoundedProcessor implements SpanProcessor {
  readonly #inner: SpanProcessor;
  readonly #counts: { readonly exported: number; lost: number };
  #ended = 0;

  constructor(inner: SpanProcessor, counts: { readonly exported: number; lost: number }) {
    this.#inner = inner;
    this.#counts = counts;
  }

  onStart(span: Span, context: Context): void {
    this.#inner.onStart(span, context);
  }

  onEnd(span: ReadableSpan): void {
    this.#ended += 1;
    const waiting = this.#ended - this.#counts.exported - this.#counts.lost;
    if (waiting > MOST_WAITING) this.#counts.lost += 1;
    else this.#inner.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#inner.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
}

export function startTracing({
  settings: { sample },
  collector: { url, headers },
  from: { version, role, node, deployment },
  log,
}: TracingOptions & { readonly collector: NonNullable<TracingSettings['collector']> }): Tracing {
  const counts = { exported: 0, lost: 0 };
  const exporter = new OTLPTraceExporter({
    url: tracesAt(url),
    headers: { ...headers },
    timeoutMillis: SEND_WITHIN_MS,
  });
  const batches = new BatchSpanProcessor({
    exporter: new TellingExporter(exporter, counts, log),
    maxQueueSize: MOST_WAITING,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: SEND_AFTER_MS,
    exportTimeoutMillis: 2 * SEND_WITHIN_MS,
  });
  const provider = new TracerProvider({
    sampler: new ParentBasedSampler({ root: new RatioOrLinked(sample) }),
    spanProcessors: [new BoundedProcessor(batches, counts)],
    resource: resourceFromAttributes({
      'service.name': 'try-it-now',
      'service.namespace': deployment,
      'service.version': version,
      'service.instance.id': `${node}/${role}`,
      'try_it_now.role': role,
      'try_it_now.node': node,
    }),
  });
  const tracer = new OtelTracer(provider.getTracer('try-it-now', version));
  return {
    tracer,
    counts,
    ids: () => tracer.ids(),
    close: async () => {
      const sent = provider.shutdown().then(
        () => true,
        () => false,
      );
      if (!(await withDeadline(CLOSE_WITHIN_MS, sent, () => false)))
        log.warn({}, 'The collector did not take the last traces in time; they are lost');
    },
  };
}
