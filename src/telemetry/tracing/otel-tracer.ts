import { AsyncLocalStorage } from 'node:async_hooks';
import {
  ROOT_CONTEXT,
  SpanKind as OtelKind,
  SpanStatusCode,
  trace,
  type Link,
  type Span,
  type SpanContext,
  type Tracer as OtelApi,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { TryItNowError } from '../../domain/errors.ts';
import type { OpenSpan, SpanAttributes, SpanKind, SpanStart, Tracer } from '../../domain/tracer.ts';

const KINDS: Readonly<Record<SpanKind, OtelKind>> = {
  server: OtelKind.SERVER,
  consumer: OtelKind.CONSUMER,
  internal: OtelKind.INTERNAL,
};

/**
 * On OpenTelemetry. Which span is around is kept in a storage of its own and not in OpenTelemetry's global one, so that
 * two servers in a process have nothing in common. A span that is not sampled is never around: what happens within it
 * costs a look at that storage.
 */
export class OtelTracer implements Tracer {
  readonly #otel: OtelApi;
  readonly #around = new AsyncLocalStorage<Span>();

  constructor(otel: OtelApi) {
    this.#otel = otel;
  }

  begin({ name, kind = 'internal', parent, links = [], attributes }: SpanStart): OpenSpan | undefined {
    const from = parent === undefined ? undefined : parsed(parent);
    const context = from === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, from);
    const linked = links.flatMap((link): Link[] => {
      const spanContext = parsed(link);
      return spanContext === undefined ? [] : [{ context: spanContext }];
    });
    const options = { kind: KINDS[kind], links: linked, ...(attributes === undefined ? {} : { attributes }) };
    const span = this.#otel.startSpan(name, options, context);
    return span.isRecording() ? this.#open(span) : undefined;
  }

  async span<T>(name: string, work: () => Promise<T>): Promise<T> {
    const around = this.#around.getStore();
    if (around === undefined) return work();
    const span = this.#otel.startSpan(name, {}, trace.setSpan(ROOT_CONTEXT, around));
    try {
      return await this.#around.run(span, work);
    } catch (error) {
      noteFailure(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  note(attributes: () => SpanAttributes): void {
    this.#around.getStore()?.setAttributes(attributes());
  }

  current(): string | undefined {
    const around = this.#around.getStore();
    return around === undefined ? undefined : traceparent(around.spanContext());
  }

  /** For log lines. */
  ids(): { readonly trace_id: string; readonly span_id: string } | undefined {
    const around = this.#around.getStore()?.spanContext();
    return around === undefined ? undefined : { trace_id: around.traceId, span_id: around.spanId };
  }

  #open(span: Span): OpenSpan {
    return {
      traceparent: traceparent(span.spanContext()),
      run: (work) => this.#around.run(span, work),
      set: (attributes) => void span.setAttributes(attributes),
      end: (failure) => {
        if (failure !== undefined) noteFailure(span, failure);
        span.end();
      },
    };
  }
}

function traceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

function parsed(text: string): SpanContext | undefined {
  const context = parseTraceParent(text);
  return context === null ? undefined : { ...context, isRemote: true };
}

/** By its code or its kind: the message may hold what is nobody else's business. */
function noteFailure(span: Span, failure: unknown): void {
  const type =
    failure instanceof TryItNowError ? failure.code : failure instanceof Error ? failure.name : typeof failure;
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
