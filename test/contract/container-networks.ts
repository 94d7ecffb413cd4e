import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EGRESS, type Destination } from '../../src/domain/egress.ts';
import type { Template } from '../../src/domain/template.ts';
import type { Networks } from '../../src/pool/interfaces/networks.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { networkFor, networkPlan } from '../../src/runtime/isolation/network-plan.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { uniqueDeployment } from '../support/container-engine.ts';
import { template } from '../support/templates.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const allowed = (host: string): Destination => ({ host, port: 443, protocol: 'tcp' });

/** What becomes of the network of a template that is offered no more. */
export function networksContract(underTest: () => EngineUnderTest): void {
  const deployment = uniqueDeployment();
  const offered: Template[] = [];
  let docker: Dockerode;
  let engine: EngineRuntime;
  let networks: Networks;
  let shop: Template;
  let other: Template;

  beforeAll(async () => {
    const { engine: name, socketPath, image } = underTest();
    docker = new Dockerode({ host: '', socketPath });
    engine = underTest().runtime(deployment);
    const loaded = await loadEngine(name);
    if (!loaded.runsContainers) throw new Error(`${name} runs no containers`);
    const catalogue = { all: () => offered };
    networks = loaded.createNetworks({
      socketPath,
      deployment,
      node: 'node-a',
      catalogue,
      log: createLogger('silent'),
    });
    const own = (of: string): Template =>
      template({
        name: of,
        image: image.name,
        port: image.port,
        egress: { ...EGRESS, allow: [allowed(`${of}.test`)] },
      });
    [shop, other] = [own('shop'), own('other')];
  });
  afterAll(async () => {
    for (const { name } of await engine.list()) await engine.remove(name);
    expect(await engine.unprepare()).toBe(true);
    await engine.close();
  });

  /** Everything on this host that names it. */
  async function left(of: Template): Promise<string> {
    const { name, bridge, chain } = networkFor(networkPlan(underTest().engine, deployment), of);
    const programs = await Promise.all([
      ...['iptables', 'ip6tables'].map((command) => run(command, ['-w', '10', '-t', 'mangle', '-S'])),
      run('ipset', ['list', '-name']),
    ]);
    const lines = programs.flatMap(({ stdout }) => stdout.split('\n'));
    const made = (await docker.listNetworks()).map((network) => network.Name);
    const found = [...lines.filter((line) => line.includes(bridge) || line.includes(chain)), ...made];
    return found.filter((line) => line !== '' && (!made.includes(line) || line === name)).join('\n');
  }

  it('serves its instances as before while there are any, and is gone with all its rules then', async () => {
    const { name, bridge } = networkFor(networkPlan(underTest().engine, deployment), shop);
    const lookups = new RegExp(`-i ${bridge} .*--dport 53 `);
    offered.push(shop);
    await engine.prepare(offered);
    const spec = await newSpec(shop);
    await engine.start(spec, never);
    await untilReady(spec);
    expect(await networks.unused()).toEqual([]);
    // As after a reload, or by another process that knows one template alone.
    offered.splice(0, 1, other);
    await engine.prepare(offered);
    expect(await left(shop)).toMatch(lookups);
    expect(await networks.unused()).toEqual([]);
    await engine.remove(spec.name);
    expect(await networks.unused()).toEqual([name]);
    await networks.remove(name);
    expect([await left(shop), await networks.unused()]).toEqual(['', []]);
    expect(await left(other)).not.toBe('');
    // What answered its names does so no more.
    await engine.prepare(offered);
    expect(await left(shop)).toBe('');
  });
}
