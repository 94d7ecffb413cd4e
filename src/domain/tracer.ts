/**
 * What a span says of its work. It leaves the deployment: no secret, token, host name of an instance, or address of a
 * visitor, and no text of an error, which may hold any of them.
 */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** `server`: answers somebody outside; `consumer`: does what somebody queued. */
export type SpanKind = 'server' | 'consumer' | 'internal';

export interface SpanStart {
  readonly name: string;
  readonly kind?: SpanKind;
  /** The span that this one is a part of, as W3C traceparent; undefined: a trace of its own, if chance has it so. */
  readonly parent?: string | undefined;
  /** Spans that led to it and are no parents of it, as W3C traceparent. What a traced one led to is traced too. */
  readonly links?: readonly string[];
  readonly attributes?: SpanAttributes;
}

/** Open until it is ended, by whoever began it. */
export interface OpenSpan {
  /** As W3C traceparent. */
  readonly traceparent: string;
  /** What `work` does is part of it. */
  run<T>(work: () => T): T;
  set(attributes: SpanAttributes): void;
  end(failure?: unknown): void;
}

/** Where the time of a click or a refill went; what is recorded, and for whom, the inner layers do not know. */
export interface Tracer {
  /** Undefined: not traced. */
  begin(start: SpanStart): OpenSpan | undefined;
  /** Within a span of the one around; outside of a trace `work` is merely run. A failure of it is noted. */
  span<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Of the span around; not asked for outside of a trace. */
  note(attributes: () => SpanAttributes): void;
  /** The span around, as W3C traceparent; undefined outside of a trace. */
  current(): string | undefined;
}

export const NO_TRACER: Tracer = {
  begin: () => undefined,
  span: (_name, work) => work(),
  note: () => undefined,
  current: () => undefined,
};

/** Runs `work` within a span that ends with it. */
export async function within<T>(span: OpenSpan | undefined, work: () => Promise<T>): Promise<T> {
  if (span === undefined) return work();
  try {
    const result = await span.run(work);
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}
