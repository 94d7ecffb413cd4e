import { afterAll, beforeAll, expect, it } from 'vitest';
import { within } from '../../src/domain/tracer.ts';
import { visitName } from '../../src/domain/ids.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { openTracing } from '../../src/telemetry/tracing/open-tracing.ts';
import type { Tracing } from '../../src/telemetry/tracing/tracing.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';
import { TraceCollector, type CollectedSpan } from '../support/trace-collector.ts';

const TARGET = 2;
const SECRET = 'Bearer the-secret-of-the-collector';

const cleanups = new Cleanups('the traced deployment');
let collector: TraceCollector;
let tracing: Tracing;
let stack: Stack;
let worker: Program;

beforeAll(async () => {
  collector = await TraceCollector.start();
  cleanups.push(() => collector[Symbol.asyncDispose]());
  tracing = await openTracing({
    settings: { collector: { url: collector.url, headers: {} }, sample: 1, parents: [] },
    from: { version: 'test', role: 'server', node: 'none', deployment: 'test' },
    log: silent,
  });
  cleanups.push(() => tracing.close());
  // All work on instances is the worker's: every refill goes from one process to another.
  stack = await startStack({
    templates: [template({ name: 'default', pool: { target: TARGET, max: 12, replenishThreshold: 0 } })],
    env: { CONTAINER_MODE: 'none' },
    tracing,
  });
  cleanups.push(() => stack[Symbol.asyncDispose]());
  const ports = await claimPorts(30);
  cleanups.push(() => ports[Symbol.asyncDispose]());
  worker = new Program(['worker'], {
    ...environmentOf(stack),
    CONTAINER_MODE: 'simulated',
    NODE_NAME: 'node1',
    WORKER_METRICS_ADDR: `127.0.0.1:${await freePort()}`,
    CONTAINER_PORT_RANGE_START: String(ports.start),
    CONTAINER_PORT_RANGE_END: String(ports.end),
    POOL_DEFAULT_TTL: '1m',
    POOL_MAX_TTL: '5m',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${encodeURIComponent(SECRET)}`,
    TRACES_SAMPLE: '1',
  });
  cleanups.push(async () => {
    worker.signal('SIGTERM');
    await worker.exitCode;
  });
  await untilFull();
});
afterAll(() => cleanups[Symbol.asyncDispose]());

function untilFull(): Promise<void> {
  return eventually(async () =>
    expect((await stack.app.demos.stats()).get('default')).toMatchObject({ ready: TARGET, warming: 0 }),
  );
}

async function acquire(headers: Readonly<Record<string, string>> = {}): Promise<{ id: string; url: string }> {
  const response = await fetch(`${stack.api}/api/v1/demo/acquire`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ template: 'default' }),
  });
  expect(response.status).toBe(201);
  return (await response.json()) as { id: string; url: string };
}

/** Of the visit: where it was handed out. */
function clickOf(id: string): Promise<CollectedSpan> {
  return found(
    ({ name, attributes }) => name === 'POST /api/v1/demo/acquire' && attributes['http.route'] !== undefined,
    (span) => collector.trace(span.traceId).some(({ attributes }) => attributes['try_it_now.visit'] === visitName(id)),
  );
}

function found(...tests: ((span: CollectedSpan) => boolean)[]): Promise<CollectedSpan> {
  return eventually(() => {
    const span = collector.spans.find((each) => tests.every((test) => test(each)));
    if (span === undefined) throw new Error(`no such span among ${collector.spans.length}`);
    return span;
  });
}

it('shows a click as one trace, in which a stranger has no say, and that tells no secret', async () => {
  const foreign = '0af7651916cd43dd8448eb211c80319c';
  const { id, url } = await acquire({ traceparent: `00-${foreign}-b7ad6b7169203331-01` });
  const click = await clickOf(id);
  expect(click).toMatchObject({ parentId: '', kind: 'server', from: 'server none', failed: false });
  expect(click.traceId).not.toBe(foreign);
  expect(click.attributes).toMatchObject({
    'http.response.status_code': 201,
    'try_it_now.template': 'default',
    'try_it_now.outcome': 'taken',
    'try_it_now.node': 'node1',
  });
  await eventually(() =>
    expect(collector.outline(click.traceId)).toEqual([
      'POST /api/v1/demo/acquire',
      '  claim',
      '    valkey claim',
      '  delivery check',
    ]),
  );
  const label = new URL(url).hostname.split('.')[0] ?? '?';
  for (const secret of [id, label, '127.0.0.1', SECRET]) expect(collector.raw).not.toContain(secret);
});

it('shows the refill that a click led to from the server to the last step of the worker', async () => {
  // Or the refill that another click asked for may serve this one as well.
  await untilFull();
  const click = await clickOf((await acquire()).id);
  const refill = await found(
    ({ name, links }) => name === 'refill' && links.some(({ traceId }) => traceId === click.traceId),
  );
  expect(refill).toMatchObject({ parentId: '', from: 'server none', attributes: { 'try_it_now.tickets': 1 } });
  const task = await found(({ name, traceId }) => name === 'provision task' && traceId === refill.traceId);
  expect(task).toMatchObject({
    parentId: refill.spanId,
    kind: 'consumer',
    from: 'worker node1',
    attributes: { 'try_it_now.template': 'default', 'try_it_now.attempt': 1, 'try_it_now.method': 'cold_start' },
  });
  const outline = collector.outline(refill.traceId);
  const below = (name: string): string[] => {
    const at = outline.findIndex((line) => line.trim() === name);
    const indent = /^ */.exec(outline[at] ?? '')?.[0].length ?? 0;
    const end = outline.findIndex((line, index) => index > at && (/^ */.exec(line)?.[0].length ?? 0) <= indent);
    return outline.slice(at + 1, end === -1 ? undefined : end);
  };
  expect(below('container')).toEqual(['      engine start']);
  expect(below('warmup')).toContain('      page through the proxy');
  const steps = below('provision task')
    .filter((line) => /^ {4}\S/.test(line))
    .map((line) => line.trim());
  const order = ['turn', 'valkey begin-attempt', 'valkey allocate-port', 'container', 'readiness', 'activation'];
  expect(steps.filter((step) => [...order, 'warmup', 'valkey mark-ready'].includes(step))).toEqual([
    ...order,
    'warmup',
    'valkey mark-ready',
  ]);
  expect(collector.headers.some(({ authorization }) => authorization === SECRET)).toBe(true);
  // What it logs meanwhile says which trace it belongs to.
  const lines = worker.output.split('\n').filter((line) => line.includes('Instance ready'));
  expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(
    expect.objectContaining({ trace_id: refill.traceId, span_id: task.spanId }),
  );
});

it('shows in each of the traces the run of the script that claims of one turn share', async () => {
  const { demos } = stack.app;
  const spans = ['first', 'second', 'third'].map((name) => tracing.tracer.begin({ name }));
  const claims = spans.map((span, at) =>
    within(span, () =>
      demos.acquire({ template: 'default', clientKey: '192.0.2.1', owner: `o${at}`, idempotencyKey: undefined }),
    ).catch(() => undefined),
  );
  await Promise.all(claims);
  const traces = spans.map((span) => span?.traceparent.split('-')[1] ?? '');
  const runs = await eventually(() => {
    const sent = traces.map((id) => collector.trace(id).find(({ name }) => name === 'valkey claim'));
    expect(sent.every((run) => run !== undefined)).toBe(true);
    return sent.flatMap((run) => (run === undefined ? [] : [run]));
  });
  const [first] = runs;
  for (const [at, run] of runs.entries()) {
    expect(run.attributes['try_it_now.claims']).toBe(3);
    expect(run.links).toEqual(at === 0 ? [] : [{ traceId: first?.traceId, spanId: first?.spanId }]);
  }
  expect(new Set(runs.map(({ traceId }) => traceId)).size).toBe(3);
});

it('shows how an instance is taken down', async () => {
  await untilFull();
  const { id } = await acquire();
  await fetch(`${stack.api}/api/v1/demo/${id}`, { method: 'DELETE' });
  const task = await found(
    ({ name }) => name === 'cleanup task',
    ({ traceId }) => collector.outline(traceId)[0] === 'DELETE /api/v1/demo/:id',
  );
  expect(task).toMatchObject({ from: 'worker node1', kind: 'consumer' });
  const outline = collector.outline(task.traceId).map((line) => line.trim());
  const steps = ['engine remove', 'valkey container-gone', 'valkey cool-port', 'valkey delete-record'];
  expect(outline.filter((name) => steps.includes(name))).toEqual(steps);
});
