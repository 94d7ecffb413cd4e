import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { request } from 'undici';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import type { Networks } from '../../src/pool/interfaces/networks.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { template } from '../support/templates.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

/** As a flushed nat table or a reloaded firewall does, for this port alone: others use the host as well. */
async function forgetForwarding(port: number): Promise<number> {
  const { stdout } = await run('iptables', ['-w', '10', '-t', 'nat', '-S']);
  const rules = stdout.split('\n').filter((line) => new RegExp(`--dport ${port}( |$)`).test(line));
  // They are printed as a shell reads them.
  for (const rule of rules) await run('sh', ['-c', `iptables -w 10 -t nat ${rule.replace(/^-A/, '-D')}`]);
  return rules.length;
}

const statusOf = async ({ hostPort }: ContainerSpec): Promise<number> => {
  const { statusCode, body } = await request(`http://127.0.0.1:${hostPort}/`);
  await body.dump();
  return statusCode;
};

/** What becomes of instances whose forwarding rules are gone from the host. */
export function forwardingContract(underTest: () => EngineUnderTest): void {
  let engine: EngineRuntime;
  let networks: Networks;
  let spec: ContainerSpec;

  beforeAll(async () => {
    const { engine: name, socketPath, deployment, image } = underTest();
    engine = underTest().runtime();
    const loaded = await loadEngine(name);
    if (!loaded.runsContainers) throw new Error(`${name} runs no containers`);
    networks = loaded.createNetworks({ socketPath, deployment, node: 'node-a', log: createLogger('silent') });
    const offered = template({ image: image.name, port: 80 });
    await engine.prepare([offered]);
    spec = await newSpec(offered);
    await engine.start(spec, never);
    await untilReady(spec);
  });
  afterAll(async () => {
    await engine.remove(spec.name);
  });

  it('instances whose forwarding rules are gone are found and reached again', async () => {
    const published = [{ container: spec.name, port: spec.hostPort }];
    const expected = await statusOf(spec);
    expect(await networks.severed(published)).toEqual([]);
    const forgotten = await forgetForwarding(spec.hostPort);

    if (underTest().engine === 'podman') {
      expect(forgotten).toBeGreaterThan(0);
      expect(await networks.severed(published)).toEqual([spec.name]);
      await networks.reconnect(spec.name);
    } else await expect(networks.reconnect(spec.name)).rejects.toMatchObject({ code: 'container_failed' });
    // Docker's relay carries connections on without any rule.
    expect(await networks.severed(published)).toEqual([]);
    expect(await statusOf(spec)).toBe(expected);
  });
}
