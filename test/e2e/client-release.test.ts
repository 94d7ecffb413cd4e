import { expect, it } from 'vitest';
import { TryItNow } from '../../packages/client/src/index.ts';
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
