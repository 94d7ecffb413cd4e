import type { Log } from '../../domain/log.ts';
import { NO_TRACER, type Tracer } from '../../domain/tracer.ts';

export interface TracingSettings {
  /** Where traces go; undefined: nothing is traced. `headers` may hold a secret. */
  readonly collector: { readonly url: string; readonly headers: Readonly<Record<string, string>> } | undefined;
  /** The share of clicks and refills that is traced. */
  readonly sample: number;
  /** Addresses and CIDR blocks of the callers whose traces are gone on with. */
  readonly parents: readonly string[];
}

export interface SpanCounts {
  /** Taken by the collector. */
  readonly exported: number;
  /** Not taken by it, or more than there was room for meanwhile. */
  readonly lost: number;
}

export interface Tracing {
  readonly tracer: Tracer;
  readonly counts: SpanCounts;
  /** Of the span around, for log lines, nothing outside of a trace; undefined where nothing is traced. */
  readonly ids: (() => object | undefined) | undefined;
  /** Sends what is not sent yet, within its time. */
  readonly close: () => Promise<void>;
}

export interface TracingOptions {
  readonly settings: TracingSettings;
  /** What the spans are said to come from. */
  readonly from: {
    readonly version: string;
    readonly role: string;
    readonly node: string;
    readonly deployment: string;
  };
  /** One that asks for no `ids` itself. */
  readonly log: Log;
}

export const NO_TRACING: Tracing = {
  tracer: NO_TRACER,
  counts: { exported: 0, lost: 0 },
  ids: undefined,
  close: () => Promise.resolve(),
};

/** Where a collector takes traces, as the specification has it for an endpoint of all signals. */
export function tracesAt(endpoint: string): string {
  return `${endpoint.replace(/\/+$/, '')}/v1/traces`;
}
