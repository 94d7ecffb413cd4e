import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import protobuf from 'protobufjs';

type Value = { readonly stringValue?: string; readonly intValue?: string; readonly boolValue?: boolean };
interface Attribute {
  readonly key: string;
  readonly value: Value & { readonly doubleValue?: number };
}

/** As the official definitions have it, ids in hexadecimal. */
interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly Attribute[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: string };
}

interface Sent {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it is the first of its trace. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
  /** Of the process that sent it: its role and node. */
  readonly from: string;
}

const ROOT = new protobuf.Root();
// The definitions name each other by their place below this folder.
ROOT.resolvePath = (_origin, target) => join(import.meta.dirname, 'otlp', target);
const REQUEST = ROOT.loadSync('opentelemetry/proto/collector/trace/v1/trace_service.proto').lookupType(
  'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest',
);

/** Takes OTLP over HTTP, read with the official definitions, and answers as the test says. */
export class TraceCollector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  readonly headers: Record<string, unknown>[] = [];
  /** Everything that came, as text: for what must not be in it. */
  raw = '';
  /** A status to answer with; `hang` for no answer at all. */
  answer: number | 'hang' = 200;
  asked = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<TraceCollector> {
    const server = createServer((request, response) => void collector.#take(request, response));
    const collector = new TraceCollector(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Those of one trace, in the order they began. */
  trace(traceId: string): CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId).sort((a, b) => a.startMs - b.startMs);
  }

  /** The names of a trace's spans, each below its parent and indented by two more blanks; siblings as they began. */
  outline(traceId: string): string[] {
    const spans = this.trace(traceId);
    const below = (parentId: string, depth: number): string[] =>
      spans
        .filter((span) => span.parentId === parentId)
        .flatMap(({ spanId, name }) => [`${'  '.repeat(depth)}${name}`, ...below(spanId, depth + 1)]);
    return below('', 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked += 1;
    const body = await buffer(request);
    if (this.answer === 'hang') return;
    response.statusCode = this.answer;
    if (this.answer === 200) {
      this.headers.push(request.headers);
      this.#keep(body);
    }
    response.setHeader('content-type', 'application/x-protobuf');
    response.end();
  }

  #keep(body: Uint8Array): void {
    this.raw += Buffer.from(body).toString('latin1');
    const sent = REQUEST.toObject(REQUEST.decode(body), { longs: String, enums: String, bytes: Array }) as Sent;
    for (const { resource, scopeSpans } of sent.resourceSpans ?? []) {
      const of = attributesOf(resource.attributes);
      const from = `${String(of['try_it_now.role'])} ${String(of['try_it_now.node'])}`;
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) this.spans.push(collected(span, from));
    }
  }
}

function collected(span: SentSpan, from: string): CollectedSpan {
  const [start, end] = [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)];
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentId: hex(span.parentSpanId),
    name: span.name,
    kind: span.kind.replace('SPAN_KIND_', '').toLowerCase(),
    startMs: Number(start / 1_000n) / 1_000,
    durationMs: Number((end - start) / 1_000n) / 1_000,
    attributes: attributesOf(span.attributes),
    links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId: hex(traceId), spanId: hex(spanId) })),
    failed: span.status?.code === 'STATUS_CODE_ERROR',
    from,
  };
}

/** `bytes: Array` has them as numbers. */
function hex(bytes: unknown): string {
  return Buffer.from((bytes as readonly number[] | undefined) ?? []).toString('hex');
}

function attributesOf(given: readonly Attribute[] = []): Record<string, string | number | boolean> {
  return Object.fromEntries(
    given.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? boolValue ?? doubleValue ?? Number(intValue),
    ]),
  );
}
