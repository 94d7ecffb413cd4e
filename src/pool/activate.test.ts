import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { template } from '../../test/support/templates.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { activate } from './activate.ts';

const answering = { status: 200, body: '' };
let app: Server;
beforeAll(async () => {
  app = createServer((request, response) => {
    request.resume();
    response.writeHead(answering.status).end(answering.body);
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => app.close(resolve)));

async function answered(body: string, status = 200): Promise<string | undefined> {
  Object.assign(answering, { status, body });
  const { port } = app.address() as AddressInfo;
  return activate(
    { runtime: new SimulatedRuntime(), probe: new HttpProbe() },
    template({ activation: { kind: 'http', path: '/activate', timeoutMs: 60_000 } }),
    {
      container: 'demo-x',
      origin: `http://127.0.0.1:${port}`,
      upstream: { address: '127.0.0.1', port },
      visitor: { scheme: 'http', host: 'label.localhost' },
    },
    { instanceId: 'i', hostname: 'label.localhost', url: 'http://label.localhost/', seed: 's', database: undefined },
    new AbortController().signal,
  );
}

describe("an activation's answer", () => {
  it.each([
    ['{"open":"/login?token=a1&to={open}","more":1}', '/login?token=a1&to={open}'],
    ['{}', undefined],
    ['', undefined],
    ['activated', undefined],
    ['"/login"', undefined],
    ['[{"open":"/login"}]', undefined],
  ])('%s gives %s for the first step', async (body, landing) => {
    expect(await answered(body)).toBe(landing);
  });

  it.each(['{"open":"//evil.example/secret"}', '{"open":"/\\\\secret"}', '{"open":7}', '{"open":"/a#secret"}'])(
    '%s fails the activation, which does not repeat it',
    async (body) => {
      const failure = await answered(body).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'activation_failed' });
      expect(String(failure)).not.toContain('secret');
    },
  );

  it('that failed is quoted without the way in', async () => {
    const failure = await answered('{"open": "/login?token=secret", "why": "no room"}', 500).catch(String);
    expect(failure).toContain('no room');
    expect(failure).not.toContain('secret');
  });
});
