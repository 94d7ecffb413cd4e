import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { silent, startStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { systemClock } from '../domain/clock.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { SimulatedHost } from '../runtime/simulated/simulated-host.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { watchReadiness } from './watch-readiness.ts';

it('tells what keeps an app from being ready while it is waited for, and nothing of it afterwards', async () => {
  await using store = await startStore();
  let status = 401;
  const app = createServer((_, response) => response.writeHead(status).end());
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}/`;
  const { failureLog } = store;
  const deps = { runtime: new SimulatedRuntime(new SimulatedHost()), failureLog, clock: systemClock, log: silent };
  const waiting = {
    template: template({ name: 'shop' }),
    instance: 'a'.repeat(26),
    container: 'demo-x',
    node: 'node0',
  };
  const never = new AbortController().signal;
  const done = watchReadiness(
    deps,
    waiting,
    (onSeen) => new HttpProbe().untilOk({ url, timeoutMs: 100_000, onSeen }, never),
    never,
  );
  try {
    const report = await eventually(async () => {
      const found = await failureLog.unready('shop');
      expect(found).toBeDefined();
      return found;
    });
    expect(report).toMatchObject({
      instance: waiting.instance,
      template: 'shop',
      code: 'not_ready_in_time',
      reason: expect.stringContaining('answers / with status 401') as string,
      remedy: expect.stringContaining('status: [200-399, 401]') as string,
    });
    // Should its node die now, it goes by itself.
    expect(await store.valkey.pttl('unready:shop')).toBeGreaterThan(0);
  } finally {
    status = 200;
    await done;
    app.close();
  }
  expect(await failureLog.unready('shop')).toBeUndefined();
});
