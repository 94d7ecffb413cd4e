import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { silent } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { newHostLabel, newInstanceId } from '../domain/ids.ts';
import { INSTANCE_RECORD_VERSION, type Instance } from '../domain/instance.ts';
import { Catalogue, type Export } from '../domain/template.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { exportWork, offersExport, type ExportDeps } from './export.ts';
import { ExportRoom } from './export-room.ts';
import { Proxies } from './proxies.ts';

const OFFERED = { file: 'work.bin', mediaType: 'application/x-work', maxBytes: 1_000, timeoutMs: 60_000 };
const never = new AbortController().signal;

describe('the export of an instance', () => {
  let answer: RequestListener;
  let proxyUrl: string;
  let noted: string[];
  const runtime = new SimulatedRuntime();
  const server = createServer((request, response) => answer(request, response));

  beforeEach(async () => {
    noted = [];
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxyUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    await runtime.close();
  });

  const deps = (offered: Partial<Export>, exportRoom = new ExportRoom()): ExportDeps => ({
    catalogue: new Catalogue([
      template({ export: { kind: 'http', path: '/export?all=1', ...OFFERED, ...offered } as Export }),
      template({ name: 'plain' }),
    ]),
    exportRoom,
    runtime,
    proxies: new Proxies(new HttpProbe(), [proxyUrl]),
    address: { scheme: 'http', baseDomain: 'demo.example', port: undefined },
    node: { name: 'node-a' },
    observer: { exported: (name, outcome) => noted.push(`${name} ${outcome}`) },
    log: silent,
  });
  const viewOf = (overrides: Partial<Instance> = {}) => ({ instance: instance(overrides), nowMs: 0 });

  it('is what the path answers, asked for as a visitor would through the proxy', async () => {
    const view = viewOf();
    answer = (request, response) =>
      void response.end(
        `${request.url ?? ''} of ${request.headers.host ?? ''}, ${request.headers.cookie ?? 'no'} cookie`,
      );
    const { file, mediaType, body } = await exportWork(deps({}), view, 'reader');
    expect([file, mediaType]).toEqual(['work.bin', 'application/x-work']);
    expect(await text(body)).toBe(`/export?all=1 of ${view.instance.label}.demo.example, no cookie`);
    expect(noted).toEqual(['tiny done']);
  });

  it('is what the command writes, where the engine of this node runs it', async () => {
    const view = viewOf();
    const byCommand = deps({ kind: 'exec', command: ['/app/export'] });
    const { container: name, port } = view.instance;
    await runtime.start(
      { name, instanceId: view.instance.id, template: template(), hostPort: port ?? 0, env: {} },
      never,
    );
    expect(await text((await exportWork(byCommand, view, 'reader')).body)).toBe(`simulated ${name}\n`);
    const elsewhere = viewOf({ node: 'node-b' });
    expect([view, elsewhere].map((each) => offersExport(byCommand, each))).toEqual([true, false]);
    await expect(exportWork(byCommand, elsewhere, 'reader')).rejects.toMatchObject({ code: 'other_node' });
    expect([elsewhere, viewOf({ template: 'plain' })].map((each) => offersExport(deps({}), each))).toEqual([
      true,
      false,
    ]);
  });

  it.each<[string, Partial<Instance>, string]>([
    ['the instance has ended', { state: 'releasing' }, 'not_assigned'],
    ['the template offers nothing', { template: 'plain' }, 'no_export'],
  ])('is refused when %s', async (_, overrides, code) => {
    await expect(exportWork(deps({}), viewOf(overrides), 'reader')).rejects.toMatchObject({ code });
    expect(noted).toEqual([]);
  });

  it('says what is wrong before the first byte', async () => {
    answer = (_request, response) => void response.writeHead(500).end('no');
    await expect(exportWork(deps({}), viewOf(), 'reader')).rejects.toMatchObject({
      code: 'export_failed',
      message: 'The export of "tiny" (http /export?all=1) failed: it answered with status 500',
    });
    answer = (_request, response) => void response.end('x'.repeat(1_001));
    await expect(exportWork(deps({}), viewOf(), 'reader')).rejects.toMatchObject({ code: 'export_too_large' });
    await expect(exportWork(deps({ kind: 'exec', command: ['x'] }), viewOf(), 'reader')).rejects.toMatchObject({
      code: 'export_failed',
    });
    expect(noted).toEqual(['tiny failed', 'tiny too_large', 'tiny failed']);
  });

  it('breaks off where it grows too large, or the app does, and lets the app go', async () => {
    let gone = 0;
    answer = (_request, response) => {
      response.once('close', () => (gone += 1));
      response.write('x'.repeat(900));
    };
    const room = new ExportRoom(1);
    const all = deps({}, room);
    const view = viewOf();
    const large = await exportWork(all, view, 'reader');
    await expect(exportWork(all, view, 'reader')).rejects.toMatchObject({ code: 'export_busy', retryAfterMs: 5_000 });
    await expect(exportWork(all, viewOf(), 'reader')).rejects.toMatchObject({ code: 'export_busy' });
    answer = (_request, response) => {
      response.write('x');
      response.write('y'.repeat(1_000));
    };
    // Whoever reads it goes away.
    large.body.destroy();
    await eventually(() => expect([gone, noted]).toEqual([1, ['tiny stopped']]));
    const whole = async () => text((await exportWork(all, view, 'reader')).body);
    await expect(whole()).rejects.toMatchObject({ code: 'export_too_large' });
    answer = (_request, response) => {
      response.write('half');
      setImmediate(() => response.destroy());
    };
    await expect(whole()).rejects.toMatchObject({ code: 'export_failed' });
    expect(noted).toEqual(['tiny stopped', 'tiny too_large', 'tiny failed']);
  });

  it('leaves room for others: an address has a part of it, who reads for many any', () => {
    const room = new ExportRoom(4, 2);
    const [leave] = [room.enter('1', 'a'), room.enter('2', 'a')];
    expect(() => room.enter('3', 'a')).toThrow('your address has 2 downloads under way');
    for (const id of ['4', '5']) room.enter(id, undefined);
    expect(() => room.enter('6', 'b')).toThrow('this server has 4 downloads under way');
    leave();
    room.enter('6', 'b');
  });

  it('ends in time, whether the app is late or whoever reads it', async () => {
    answer = () => undefined;
    await expect(exportWork(deps({ timeoutMs: 50 }), viewOf(), 'reader')).rejects.toMatchObject({
      code: 'export_failed',
      message: expect.stringContaining('it was not through within 50 ms') as string,
    });
    answer = (_request, response) => void response.write('first');
    const begun = () => exportWork(deps({ timeoutMs: 2_000 }), viewOf(), 'reader');
    const [read, unread] = await Promise.all([begun(), begun()]);
    await Promise.all([
      expect(text(read.body)).rejects.toMatchObject({ code: 'export_failed' }),
      once(unread.body, 'error'),
    ]);
    expect(noted).toEqual(['tiny late', 'tiny late', 'tiny late']);
  });
});

function instance(overrides: Partial<Instance>): Instance {
  const id = newInstanceId();
  return {
    v: INSTANCE_RECORD_VERSION,
    id,
    label: newHostLabel(),
    template: 'tiny',
    templateVersion: 'v1',
    node: 'node-a',
    container: `demo-${id}`,
    state: 'assigned',
    generation: 1,
    port: 0,
    database: null,
    createdAtMs: 0,
    readyAtMs: 0,
    assignedAtMs: 0,
    deadlineMs: 1,
    endOfLifeMs: null,
    owner: 'somebody',
    reason: null,
    ...overrides,
  };
}
