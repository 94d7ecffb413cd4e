import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { pipelined } from '../../test/support/raw-http.ts';
import { LogBook } from '../../test/support/queue.ts';
import { TraceCollector } from '../../test/support/trace-collector.ts';
import { openTracing } from '../telemetry/tracing/open-tracing.ts';

const PARENT = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

/** The spans of what `ask` asks for. */
async function spansOf(
  { sample, parents }: { readonly sample: number; readonly parents: readonly string[] },
  ask: (url: string, http: RunningServer) => Promise<unknown>,
): Promise<TraceCollector['spans']> {
  await using collector = await TraceCollector.start();
  const { tracer, close } = await openTracing({
    settings: { collector: { url: collector.url, headers: {} }, sample, parents },
    from: { version: '1', role: 'server', node: 'n', deployment: 'd' },
    log: new LogBook(),
  });
  {
    await using http = await startHttp({ tracing: { tracer, parents } });
    await ask(http.url, http);
  }
  await close();
  return collector.spans;
}

const acquire = (headers: Readonly<Record<string, string>>) => (url: string) =>
  fetch(`${url}/api/v1/demo/acquire`, { method: 'POST', headers });

it('goes on with the trace of a caller who is believed', async () => {
  const [span, ...others] = await spansOf({ sample: 0, parents: ['127.0.0.0/8'] }, acquire(PARENT));
  expect(span).toMatchObject({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    parentId: 'b7ad6b7169203331',
    name: 'POST /api/v1/demo/acquire',
    kind: 'server',
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/api/v1/demo/acquire',
      'http.response.status_code': 201,
    },
  });
  expect(others).toEqual([]);
});

it('has nobody else say that their request is to be traced', async () => {
  expect(await spansOf({ sample: 0, parents: ['192.0.2.0/24'] }, acquire(PARENT))).toEqual([]);
});

it('traces none of what machines ask again and again', async () => {
  const spans = await spansOf({ sample: 1, parents: [] }, async (url) => {
    for (const path of ['/health', '/ready', '/metrics', '/api/openapi.json', '/assets/page.js', '/no-such-page'])
      await fetch(`${url}${path}`);
    await fetch(`${url}/api/v1/pool/stats`);
  });
  expect(spans.map(({ name }) => name)).toEqual(['GET /api/v1/pool/stats']);
});

it('names an address by its route, so that no id or token gets into a trace', async () => {
  const id = 'a'.repeat(26);
  const spans = await spansOf({ sample: 1, parents: [] }, (url) => fetch(`${url}/api/v1/demo/${id}?key=secret`));
  expect(spans).toMatchObject([{ name: 'GET /api/v1/demo/:id', attributes: { 'http.response.status_code': 404 } }]);
  expect(JSON.stringify(spans)).not.toMatch(/secret|aaaa/);
});

it('ends the spans of all that was pipelined on a connection that is gone', async () => {
  const spans = await spansOf({ sample: 1, parents: [] }, async (_url, { demos, port, server }) => {
    const { id } = await demos.acquire({ template: undefined, clientKey: 's', owner: 'o', idempotencyKey: undefined });
    // The stream is not traced, and keeps what comes behind it from being answered.
    const socket = await pipelined(port, [`/api/v1/demo/${id}/status`, '/api/v1/pool/stats', '/api/v1/templates']);
    socket.destroy();
    await expect.poll(() => promisify(server.app.server.getConnections.bind(server.app.server))()).toBe(0);
  });
  expect(spans.map(({ name }) => name).sort()).toEqual(['GET /api/v1/pool/stats', 'GET /api/v1/templates']);
  expect(spans.map(({ attributes }) => attributes['try_it_now.client_gone'])).toEqual([true, true]);
});
