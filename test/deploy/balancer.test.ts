import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { answers, freePort } from '../../src/launcher/tcp-ports.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { shippedBalancer } from '../support/shipped-balancer.ts';

const cleanups = new Cleanups('the load balancer');
let url: string;
let serverPort: number;
beforeAll(async () => {
  const folder = await ownFolder(cleanups, 'tin-balancer-');
  const port = await freePort();
  serverPort = await freePort();
  const file = join(folder, 'Caddyfile');
  await writeFile(file, await shippedBalancer(port, [`127.0.0.1:${serverPort}`, `127.0.0.1:${await freePort()}`]));
  const caddy = await ChildServer.start({
    name: 'the load balancer',
    command: 'caddy',
    args: ['run', '--config', file, '--adapter', 'caddyfile'],
    cwd: folder,
    cleanEnv: true,
    env: { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder },
    isUp: () => answers(port),
  });
  cleanups.push(() => caddy.stop());
  url = `http://127.0.0.1:${port}`;
});
afterAll(() => cleanups[Symbol.asyncDispose]());

const ask = (accept: string, method = 'POST'): Promise<Response> =>
  fetch(`${url}/api/v1/demo/acquire`, { method, headers: { accept } });

it('says honestly that no server is ready, to programs and to people', async () => {
  const [program, person] = await Promise.all([ask('*/*'), ask('text/html,*/*;q=0.8', 'GET')]);
  for (const answer of [program, person]) {
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  }
  expect(program.headers.get('content-type')).toBe('application/problem+json');
  expect(await program.json()).toMatchObject({ status: 503, code: 'no_server', retryable: true });
  expect(person.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const page = await person.text();
  expect(page).toContain('<h1>Back in a moment</h1>');
  expect(page).toContain("if ('GET' === 'GET') location.reload();");
});

it('leaves what a server says itself as it is, and says so when that one is lost over a request', async () => {
  const paths: string[] = [];
  const server = createServer(({ url: path = '' }, response) => {
    paths.push(path);
    if (path === '/lost') response.socket?.destroy();
    else if (path === '/ready') response.end('ready');
    else response.writeHead(503, { 'retry-after': '1' }).end('its own');
  }).listen(serverPort, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => close(server));
  await eventually(async () => {
    const answer = await ask('*/*');
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '1', 'its own']);
  });
  const lost = await fetch(`${url}/lost`, { method: 'POST' });
  expect([lost.status, lost.headers.get('retry-after')]).toEqual([502, '5']);
  expect(await lost.json()).toMatchObject({ status: 502, code: 'no_server' });
  // It may have been done: asking again is for the client.
  expect(paths.filter((path) => path === '/lost')).toHaveLength(1);
});

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
