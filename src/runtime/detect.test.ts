import { createServer, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { detectEngine } from './detect.ts';

let dir: string;
const open: Server[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'detect-'));
});
afterEach(async () => {
  for (const server of open.splice(0)) await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true });
});

/** Answers the ping as that engine does. */
async function engine(name: string, headers: Readonly<Record<string, string>>, status = 200): Promise<string> {
  const socketPath = join(dir, name);
  const server = createServer((_, response) => response.writeHead(status, headers).end('OK'));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  open.push(server);
  return socketPath;
}

const PODMAN = { 'libpod-api-version': '4.3.1', 'api-version': '1.41' };
const DOCKER = { 'api-version': '1.41' };

it('takes Podman where both answer', async () => {
  expect(await detectEngine({ podman: await engine('p', PODMAN), docker: await engine('d', DOCKER) })).toMatchObject({
    engine: 'podman',
    tried: [{ engine: 'podman', usable: true }],
  });
});

it('takes Docker where Podman does not answer, and says why', async () => {
  const podman = join(dir, 'absent');
  const found = await detectEngine({ podman, docker: await engine('d', DOCKER) });
  expect(found.engine).toBe('docker');
  expect(found.tried[0]?.reason).toContain(`${podman} does not answer (there is no such socket)`);
});

it("is not taken in by one engine behind the other's socket", async () => {
  const found = await detectEngine({ podman: await engine('p', DOCKER), docker: await engine('d', PODMAN) });
  expect(found.engine).toBe('simulated');
  expect(found.tried.map(({ reason }) => reason)).toEqual([
    expect.stringContaining('is not Podman'),
    expect.stringContaining('is Podman'),
  ]);
});

it('is left with simulated where none is well', async () => {
  const found = await detectEngine({ podman: await engine('p', PODMAN, 500), docker: join(dir, 'absent') });
  expect(found).toMatchObject({
    engine: 'simulated',
    tried: [{ usable: false, reason: expect.stringContaining('status 500') as string }, { usable: false }],
  });
});
