import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { silent } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { Catalogue, type Template } from '../domain/template.ts';
import { exportWork } from '../pool/export.ts';
import { ExportRoom } from '../pool/export-room.ts';
import type { InstanceView } from '../pool/interfaces/claim-store.ts';
import { Proxies } from '../pool/proxies.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';

const OFFERED = { file: 'work.bin', mediaType: 'application/x-work', maxBytes: 2 ** 32, timeoutMs: 3_600_000 };
const shop: Template = template({ name: 'shop', export: { kind: 'http', path: '/export', ...OFFERED } });

/** With downloads as production has them, from an app behind the proxy. */
class Downloads extends FakeDemos {
  readonly outcomes: string[] = [];
  unreadMs = 60_000;
  readonly #proxyUrl: string;
  readonly #runtime: SimulatedRuntime;
  readonly #exportRoom = new ExportRoom();

  constructor(proxyUrl: string, runtime: SimulatedRuntime) {
    super([shop]);
    this.#proxyUrl = proxyUrl;
    this.#runtime = runtime;
  }

  override exportWork(view: InstanceView, clientKey: string | undefined): ReturnType<FakeDemos['exportWork']> {
    const deps = {
      catalogue: new Catalogue([shop]),
      exportRoom: this.#exportRoom,
      runtime: this.#runtime,
      proxies: new Proxies(new HttpProbe(), [this.#proxyUrl]),
      address: { scheme: 'http', baseDomain: 'demo.example', port: undefined },
      node: { name: 'node-a' },
      observer: { exported: (_name: string, outcome: string) => void this.outcomes.push(outcome) },
      log: silent,
      unreadMs: this.unreadMs,
    } as const;
    return exportWork(deps, view, clientKey);
  }
}

/** Far more than connections hold between them. */
function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(65_536);
}

const stalls = (response: ServerResponse): void => void Readable.from(endless()).pipe(response);
let answer: (response: ServerResponse) => void;
const app = createServer((_request, response) => answer(response));
const runtime = new SimulatedRuntime();
let demos: Downloads;
let http: RunningServer;

beforeEach(async () => {
  answer = stalls;
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  demos = new Downloads(`http://127.0.0.1:${(app.address() as AddressInfo).port}`, runtime);
  http = await startHttp({ demos, trustedProxies: ['127.0.0.1'] });
});
afterEach(async () => {
  await http[Symbol.asyncDispose]();
  app.closeAllConnections();
  app.close();
  await once(app, 'close');
  await runtime.close();
});

/** The id of an instance of the client. */
async function visit(client: string): Promise<string> {
  const answered = await fetch(`${http.url}/api/v1/demo/acquire`, {
    method: 'POST',
    headers: { 'x-forwarded-for': client },
  });
  return ((await answered.json()) as { readonly id: string }).id;
}

/** Resolves with the answer, of which nothing is read so far. */
async function download(client: string, id: string): Promise<IncomingMessage> {
  const request = get(`${http.url}/api/v1/demo/${id}/export`, { headers: { 'x-forwarded-for': client }, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

it('gives slow readers of one address a part of the downloads, and others theirs', async () => {
  const slow = ['198.51.100.1', '2001:db8::1'];
  const held: IncomingMessage[] = [];
  for (const client of slow) {
    for (let at = 0; at < 4; at += 1) held.push(await download(client, await visit(client)));
    expect(held.every(({ statusCode }) => statusCode === 200)).toBe(true);
    // Of IPv6 whoever has the network has all of its addresses.
    const again = client.replace('::1', '::2');
    const refused = await download(again, await visit(again));
    expect(refused.statusCode).toBe(429);
    expect(JSON.parse(await text(refused))).toMatchObject({ code: 'export_busy' });
  }
  answer = (response) => void response.end('whole');
  for (let at = 0; at < 20; at += 1)
    expect(await text(await download('192.0.2.1', await visit('192.0.2.1')))).toBe('whole');
  for (const response of held) response.destroy();
});

it('ends a download that nobody reads, and none for which the app takes its time', async () => {
  demos.unreadMs = 400;
  let slowApp: ServerResponse | undefined;
  answer = (response) => {
    slowApp = response;
    response.write('begun ');
  };
  const patient = await download('192.0.2.1', await visit('192.0.2.1'));
  const read = text(patient);
  answer = stalls;
  const id = await visit('198.51.100.1');
  const unread = await download('198.51.100.1', id);
  await eventually(() => expect(demos.outcomes).toEqual(['late']));
  await expect(text(unread)).rejects.toThrow('aborted');
  slowApp?.end('and done');
  expect(await read).toBe('begun and done');
  answer = (response) => void response.end('whole');
  expect(await text(await download('198.51.100.1', id))).toBe('whole');
});
