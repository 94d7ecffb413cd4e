import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { expect, it } from 'vitest';
import { newInstanceId } from '../../src/domain/ids.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { serveSimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { keys } from '../../src/store/keys.ts';
import { dumpOf } from '../support/dump.ts';
import { eventually } from '../support/eventually.ts';
import { fleetNode } from '../support/fleet.ts';
import { Program } from '../support/program.ts';
import { startStack } from '../support/stack.ts';

it('looks without changing a byte, then repairs, then finds nothing; refuses what it cannot see', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tin-reconcile-'));
  const SIMULATED_SOCKET = join(dir, 'engine.sock');
  const host = new SimulatedHost();
  const engine = await serveSimulatedEngine(SIMULATED_SOCKET, host);
  try {
    await using stack = await startStack({ env: { SIMULATED_SOCKET } });
    await eventually(async () =>
      expect(await (await fetch(`${stack.api}/api/v1/pool/stats`)).json()).toMatchObject({ ready: 3 }),
    );
    const { config } = stack;
    await stack.app.stop();
    const env = {
      CONTAINER_MODE: 'simulated',
      CONTAINER_IMAGE: 'localhost/unused',
      CONTAINER_PORT: String(config.templates[0]?.port),
      VALKEY_ADDR: stack.valkey.address,
      NATS_URL: stack.nats.url,
      CADDY_ADMIN_URL: stack.caddy.adminUrl,
      DEPLOYMENT: config.deployment,
      PROXY_LISTEN: config.proxy.listen,
      SERVER_PORT: String(config.server.port),
      DISCOVERY_ADDR: `${config.proxy.discovery.host}:${config.proxy.discovery.port}`,
      DISCOVERY_METRICS_ADDR: `127.0.0.1:${config.proxy.discovery.metrics.port}`,
      CONTAINER_PORT_RANGE_START: String(config.containers.portRange.start),
      CONTAINER_PORT_RANGE_END: String(config.containers.portRange.end),
    };
    const run = async (args: string[], extra: Record<string, string> = { SIMULATED_SOCKET }) => {
      await using program = new Program(['reconcile', ...args], { ...env, ...extra });
      return { code: await program.exitCode, output: program.output };
    };
    const valkey = new Valkey(config.valkey.port, config.valkey.host);
    try {
      expect(await run(['--dry-run'])).toEqual({ code: 0, output: 'All is in order.\n' });
      // As on a host that was cut off while another one took its place: all visits there look lost from here.
      const { heartbeat } = fleetNode({ heartbeat: { boot: 'of-another-host', host: 'host-b', address: '10.0.0.2' } });
      await valkey.set(keys.heartbeat('node0'), JSON.stringify(heartbeat));
      expect(await run([])).toEqual({
        code: 78,
        output: expect.stringMatching(
          /^NODE_NAME=node0 is the name of another host, host-b at 10\.0\.0\.2,/m,
        ) as string,
      });
      await valkey.del(keys.heartbeat('node0'));
      await host.start({
        name: 'demo-stray',
        owner: { deployment: config.deployment, node: 'node0' },
        instanceId: newInstanceId(),
        keepUntilMs: undefined,
        address: '127.0.0.1',
        template: 'tiny',
        hostPort: await freePort(),
      });
      await valkey.hset(
        'hostnames',
        'a'.repeat(20),
        JSON.stringify({ v: 1, id: newInstanceId(), node: 'node0', port: 1 }),
      );
      const before = await dumpOf(valkey);
      const dry = await run(['--dry-run']);
      process.stdout.write(dry.output);
      expect(dry.code).toBe(3);
      expect(JSON.parse((await run(['--dry-run', '--json'])).output)).toMatchObject({
        findings: [{ kind: 'container', what: 'demo-stray' }, { kind: 'hostname' }],
        not_looked_at: [],
      });
      expect(await dumpOf(valkey)).toEqual(before);
      const repaired = await run([]);
      expect([repaired.code, repaired.output]).toEqual([0, expect.stringContaining('2 found, 2 repaired.')]);
      expect(await run(['--dry-run'])).toEqual({ code: 0, output: 'All is in order.\n' });
      const blind = await run(['--dry-run'], {});
      expect([blind.code, blind.output]).toEqual([1, expect.stringContaining('cannot be seen from here')]);
      await stack.nats.server.stop();
      await stack.caddy.server.stop();
      const partly = await run(['--dry-run']);
      process.stdout.write(partly.output);
      expect(partly.code).toBe(1);
    } finally {
      valkey.disconnect();
    }
  } finally {
    await engine.close();
    await rm(dir, { recursive: true, force: true });
  }
});
