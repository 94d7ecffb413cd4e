import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { silent } from '../../test/support/store.ts';
import { MASTER, ValkeyFleet, type FleetServer } from '../../test/support/valkey-fleet.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { connectValkey, disconnectValkey } from '../store/client.ts';
import type { Endpoint, ValkeyAccess } from '../store/valkey-access.ts';
import { Shared, runChecks } from './check.ts';
import { valkeyChecks } from './valkey.ts';

let fleet: ValkeyFleet;
let primary: FleetServer;
let replica: FleetServer;
let sentinel: FleetServer;

beforeAll(async () => {
  fleet = await ValkeyFleet.create();
  primary = await fleet.valkey(['--repl-diskless-sync-delay', '0']);
  replica = await fleet.valkey(['--replicaof', primary.host, String(primary.port)]);
  // It leaves them what they are, however long the replica is stopped.
  sentinel = await fleet.sentinel(primary, [], { downAfterMs: 600_000 });
});
afterAll(() => fleet[Symbol.asyncDispose]());

/** Each observation of the part, as one line. */
async function seen(access: ValkeyAccess): Promise<readonly string[]> {
  const client = await connectValkey({ ...access, log: silent });
  const found = await runChecks(valkeyChecks(new Shared(() => Promise.resolve(client), ''), access));
  await disconnectValkey(client);
  return found.map(({ what, verdict, seen: text }) => `${what}: ${verdict}: ${text}`);
}

const at = ({ host, port }: Endpoint): ValkeyAccess => ({ host, port, password: undefined });
const through = (...endpoints: readonly Endpoint[]): ValkeyAccess => ({
  ...at(sentinel),
  sentinel: {
    endpoints: endpoints.map(({ host, port }) => ({ host, port })),
    master: MASTER,
    user: undefined,
    password: undefined,
  },
});
const line = (text: string): unknown => expect.stringMatching(new RegExp(`^${text}`));

it('says what a Valkey is, and what would take its place', async () => {
  expect(await seen(at(replica))).toContainEqual(line(`role: failure: is a replica of 127.0.0.1:${primary.port}`));
  await eventually(async () =>
    expect(await seen(at(primary))).toEqual(
      expect.arrayContaining([
        line('role: ok: a primary'),
        line(`replicas: ok: 127.0.0.1:${replica.port} \\d+ s and \\d+ bytes behind$`),
        line('transport: ok: in clear text, within this host or a private network'),
      ]),
    ),
  );
  const down = { host: '127.0.0.1', port: await freePort() };
  expect(await seen(through(sentinel))).toEqual(
    expect.arrayContaining([
      line(`role: ok: the primary of ${MASTER}`),
      line('min-replicas: warning: min-replicas-to-write is 0'),
      line(`Sentinels: ok: 1 of 1 answer, and name 127.0.0.1:${primary.port}`),
    ]),
  );
  const client = await connectValkey({ ...at(primary), log: silent });
  await client.config('SET', 'min-replicas-to-write', '1');
  expect(await seen(through(sentinel, down, down))).toEqual(
    expect.arrayContaining([
      line('min-replicas: ok: takes changes while it has 1 or more'),
      line(`Sentinels: failure: 1 of 3 answer; 127.0.0.1:${down.port} does not answer \\(connect ECONNREFUSED`),
    ]),
  );
  await replica.server.stop();
  await eventually(async () =>
    expect(await seen(through(sentinel))).toContainEqual(line('replicas: failure: none is connected')),
  );
  expect(await seen(at(primary))).toContainEqual(line('replicas: ok: none: while this Valkey is down'));
  client.disconnect();
});

it('says whether a restart of Valkey would read all of its log', async () => {
  const { host, port } = await fleet.valkey();
  const admin = new Valkey(port, host);
  const rights = ['~*', '+@read', '+@write', '+@connection', '+info', '+config|get'];
  await admin.call('ACL', 'SETUSER', 'shy', 'on', '>secret', ...rights);
  await admin.call('ACL', 'SETUSER', 'own', 'on', '>secret', ...rights, '+acl|dryrun');
  await admin.call('ACL', 'SETUSER', 'root', 'on', '>secret', '~*', '&*', '+@all');
  await admin.auth('root', 'secret');
  const as = (user: string): Promise<readonly string[]> => seen({ host, port, user, password: 'secret' });
  expect(await as('own')).toContainEqual('own log: ok: a restart of Valkey reads all of it');
  expect(await as('shy')).toContainEqual(line('own log: not_looked_at: its user may not ask'));
  await admin.call('ACL', 'SETUSER', 'default', 'reset');
  expect(await as('own')).toContainEqual(line('own log: failure: a restart of Valkey would leave out'));
  // As documented.
  await admin.call('ACL', 'SETUSER', 'default', 'off', '~*', '&*', '+@all');
  expect(await as('own')).toContainEqual(line('own log: ok'));
  admin.disconnect();
});

it('says who may read what is said to a Valkey elsewhere', async () => {
  const client = await connectValkey({ ...at(primary), log: silent });
  const transport = async (access: ValkeyAccess): Promise<unknown> => {
    const checks = valkeyChecks(new Shared(() => Promise.resolve(client), ''), access);
    const [found] = await runChecks(checks.filter(({ what }) => what === 'transport'));
    return `${found?.verdict ?? ''}: ${found?.seen ?? ''}`;
  };
  const access = (host: string): ValkeyAccess => ({ host, port: 6379, password: undefined });
  for (const host of ['10.1.2.3', 'fd00::1', 'valkey', '::1', '127.0.0.1'])
    expect(await transport(access(host))).toMatch(/^ok: in clear text, within/);
  for (const host of ['203.0.113.1', '2001:db8::1', 'valkey.example.org'])
    expect(await transport(access(host))).toMatch(/^warning: in clear text to .*6379: whoever is on the way/);
  expect(await transport({ ...access('203.0.113.1'), tls: {} })).toBe('ok: by TLS');
  client.disconnect();
});
