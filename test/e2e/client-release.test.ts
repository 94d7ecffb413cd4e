import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { TryItNow } from '../../packages/client/src/index.ts';
import { eventually } from '../support/eventually.ts';
import { FakeDemos } from '../support/fake-demos.ts';
import { startHttp } from '../support/http-server.ts';

it('has given a place up once release() resolves', async () => {
  const demos = new FakeDemos(undefined, 0);
  await using http = await startHttp({ demos });
  const visit = new TryItNow({ url: http.url }).visit({ template: 'hello' });
  await new Promise<void>((resolve) => void visit.on('queue', () => resolve()));
  expect(demos.waiting.get('hello')).toHaveLength(1);
  await visit.release();
  expect(demos.waiting.get('hello')).toEqual([]);
  await expect(visit.ready).rejects.toThrow();
});

it('has given back what came meanwhile once release() resolves', async () => {
  const demos = new FakeDemos();
  const acquireOrWait = demos.acquireOrWait.bind(demos);
  await using http = await startHttp({ demos });
  const visit = new TryItNow({ url: http.url }).visit({ template: 'hello' });
  let released: Promise<void> | undefined;
  demos.acquireOrWait = (request) => {
    released = visit.release();
    return acquireOrWait(request);
  };
  await expect(visit.ready).rejects.toThrow();
  await released;
  expect([...demos.instances.values()].map(({ state }) => state)).toEqual(['releasing']);
});

it('gives up by a timeout that nothing else refers to', async () => {
  const demos = new FakeDemos(undefined, 0);
  await using http = await startHttp({ demos });
  const visit = new TryItNow({ url: http.url }).visit({ template: 'hello', signal: AbortSignal.timeout(1000) });
  await new Promise<void>((resolve) => void visit.on('queue', () => resolve()));
  await collectGarbage();
  await expect(visit.ready).rejects.toThrow('timeout');
  await eventually(() => expect(demos.waiting.get('hello')).toEqual([]));
});

/** Weak references last until the turn of the event loop is over. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let turn = 0; turn < 5; turn += 1) {
    await setImmediate();
    collect();
  }
}
