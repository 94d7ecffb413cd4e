import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { caddyChecks } from './caddy.ts';
import type { Proxy } from '../pool/interfaces/proxy.ts';
import { Shared, type Check } from './check.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('Skipped: sockets of another user; only root can make one\n');

const checks = (seen: Awaited<ReturnType<Proxy['check']>>, adminUrl = 'unix:///nowhere'): Check[] =>
  caddyChecks(new Shared(() => Promise.resolve(seen), 'absent'), {
    adminUrl,
    internalUrls: [],
    listen: '127.0.0.1:8000',
    address: { scheme: 'http', baseDomain: 'demo.example.org', port: undefined },
  });

it.each([
  ['present', 'ok', 'as it should be'],
  ['other_pages', 'ok', 'once no request to an instance is under way'],
  ['different', 'failure', 'was changed'],
  ['missing', 'failure', 'is not in'],
] as const)('says what there is of our server: %s', async (seen, verdict, said) => {
  const server = checks(seen).find(({ what }) => what === 'demo server');
  expect(await server?.run()).toMatchObject([{ verdict, seen: expect.stringContaining(said) as string }]);
});

it.skipIf(!isRoot)('tells a socket that only the right to pass over its mode opens', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tin-admin-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const socket = join(dir, 'admin.sock');
  const server = createServer().listen(socket);
  onTestFinished(() => new Promise((closed) => server.close(() => closed())));
  await once(server, 'listening');
  const [admin] = checks('present', `unix://${socket}`);
  for (const [uid, gid, mode, verdict] of [
    [65_532, 0, 0o200, 'warning'],
    [65_532, 65_532, 0o220, 'warning'],
    [65_532, 0, 0o220, 'ok'],
    [65_532, 0, 0o770, 'ok'],
    [0, 0, 0o200, 'ok'],
  ] as const) {
    await chown(socket, uid, gid);
    await chmod(socket, mode);
    expect(await admin?.run(), `${uid}:${gid} ${mode.toString(8)}`).toContainEqual(
      expect.objectContaining({ what: 'admin access', verdict }),
    );
  }
  // As `up` has it, whose server has all of root's rights.
  await chown(socket, 65_532, 65_532);
  await chmod(socket, 0o200);
  await chown(dir, 65_532, 65_532);
  expect(await admin?.run()).toContainEqual(expect.objectContaining({ what: 'admin access', verdict: 'ok' }));
});
