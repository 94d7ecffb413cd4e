import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import type { FleetHost } from '../fleet/fleet-host.ts';
import { startFleet, type Fleet } from '../fleet/fleet.ts';
import { PORTS } from '../fleet/surroundings.ts';
import { acquire, release } from '../fleet/visits.ts';
import { launchEngine, titleFor, whyWithout } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { imageRegistry, type ImageRegistry } from '../support/image-registry.ts';
import { OPERATOR_KEY, type Json } from '../support/operator.ts';
import { loadTinyImage } from '../support/tiny-image.ts';

const run = promisify(execFile);
const SHELL = ['/bin/sh', '-c'];
const SERVE = ['/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/www'];
/** Long enough to be seen on trial, and killed in it. */
const SERVES_LATE = [...SHELL, `/bin/busybox sleep 12; exec ${SERVE.join(' ')}`];
const ENDS_AT_ONCE = ['/bin/busybox', 'false'];
const TARGET = 6;
/** Of one visitor after another: the pool can follow. */
const BETWEEN_VISITS_MS = 2_000;
const PATIENT = { timeoutMs: 180_000 };

interface Listed {
  readonly node: string;
  readonly url: string;
}

describe.skipIf(whyWithout('podman') !== undefined)(`new images in a fleet on ${titleFor('podman')}`, () => {
  const cleanups = new Cleanups('the shop');
  let registry: ImageRegistry;
  let remote: string;
  let socketPath: string;
  let fleet: Fleet;
  let first: FleetHost;
  let second: FleetHost;
  let workerAlone: FleetHost;

  beforeAll(async () => {
    const engine = await launchEngine('podman');
    cleanups.push(() => engine[Symbol.asyncDispose]());
    ({ socketPath } = engine);
    fleet = await startFleet(shop, [
      ['podman', 'caddy', 'discovery', 'server', 'worker'],
      ['podman', 'caddy', 'discovery', 'server', 'worker'],
      ['podman', 'discovery', 'worker'],
      ['valkey', 'nats'],
    ]);
    cleanups.push(() => fleet[Symbol.asyncDispose]());
    const [one, two, three] = fleet.hosts;
    if (two === undefined || three === undefined) throw new Error('the fleet has three nodes');
    [first, second, workerAlone] = [one, two, three];
    await everywhere('shop v1');
  });
  afterAll(async () => {
    await cleanups[Symbol.asyncDispose]();
  });

  async function shop(ownAddress: string) {
    registry = await imageRegistry(ownAddress);
    cleanups.push(() => registry[Symbol.asyncDispose]());
    remote = `${registry.address}/shop:1`;
    await push('shop v1');
    return {
      templates: [
        {
          ...{ name: 'shop', image: remote, pull: 'missing', image_check: 'manual' },
          smoke: [{ path: '/', status: 200, text: 'shop' }],
          readiness: { path: '/', timeout: '30s', request_timeout: '2s' },
          limits: { memory: '32MiB' },
          pool: { target: TARGET, max: 24 },
        },
      ],
      env: { OPERATOR_KEYS: OPERATOR_KEY, REGISTRY_AUTH_FILE: registry.credentialsFile, QUEUE_WORKER_COUNT: '1' },
    };
  }

  /** Under the one name; this machine keeps nothing of it. */
  async function push(says: string, command: readonly string[] = SERVE): Promise<void> {
    await using local = await loadTinyImage(socketPath, command, [], undefined, (root) =>
      writeFile(join(root, 'www/index.html'), says),
    );
    await run('podman', ['push', '--quiet', '--authfile', registry.credentialsFile, local.name, `docker://${remote}`]);
  }

  const asked = async (at: FleetHost, ...command: readonly string[]): Promise<Json> =>
    JSON.parse(await at.tryItNow(...command, '--json')) as Json;
  const image = async (at: FleetHost): Promise<Json> =>
    ((await asked(at, 'images', 'list'))['images'] as readonly Json[])[0] ?? {};
  const inState = async (state: 'warming' | 'ready', at: FleetHost): Promise<readonly Listed[]> =>
    (await asked(at, 'instances', 'list', '--state', state))['instances'] as readonly unknown[] as readonly Listed[];

  async function read(url: string, host = second): Promise<string> {
    const { hostname } = new URL(url);
    const answer = await request(`http://${host.machine.address}:${PORTS.proxy}/`, {
      headers: { host: `${hostname}:${PORTS.proxy}` },
    });
    const text = await answer.body.text();
    return answer.statusCode === 200 ? text : `${answer.statusCode} ${text}`;
  }

  /** Once all that is ready says so, each of these nodes has some of it, and nothing of before is on its way. */
  async function everywhere(says: string, nodes = fleet.hosts): Promise<void> {
    const names = nodes.map(({ machine }) => machine.name);
    await eventually(async () => {
      const starting = await inState('warming', second);
      const found = await inState('ready', second);
      const having = [...new Set(found.map(({ node }) => node))].sort();
      // A node gets its share of what is made from now on.
      if (found.length === TARGET && having.length < names.length) await visit();
      const texts = await Promise.all(found.map(({ url }) => read(url)));
      expect({ nodes: having, texts, starting }).toEqual({
        ...{ nodes: names, texts: Array(TARGET).fill(says), starting: [] },
      });
    }, PATIENT);
  }

  /** What somebody reads who comes, looks, and goes; undefined while there is none. */
  async function visit(): Promise<string | undefined> {
    const server = `http://${second.machine.address}:${PORTS.api}`;
    const held = await acquire(server, 'shop').catch(() => undefined);
    if (held === undefined) return undefined;
    const text = await read(`http://${held.host}/`);
    await release(server, held);
    return text;
  }

  const images = async ({ machine }: FleetHost): Promise<readonly string[]> =>
    (await machine.run('podman', ...hostFlags(), 'images', '--all', '--quiet', '--no-trunc'))
      .split('\n')
      .filter((id) => id !== '');
  const canaries = async ({ machine }: FleetHost): Promise<readonly string[]> =>
    (await machine.run('podman', ...hostFlags(), 'ps', '--all', '--format', '{{.Names}}'))
      .split('\n')
      .filter((name) => name.includes('demo-canary-'));

  /** Somebody comes, looks, and goes, again and again. All that they read, until they are stopped. */
  function visiting(): AsyncDisposable & { readonly seen: ReadonlySet<string> } {
    const seen = new Set<string>();
    const over = new AbortController();
    const going = (async () => {
      while (!over.signal.aborted) {
        const text = await visit();
        if (text !== undefined) seen.add(text);
        await sleep(BETWEEN_VISITS_MS);
      }
    })();
    return {
      seen,
      [Symbol.asyncDispose]: async () => {
        over.abort();
        await going;
      },
    };
  }

  it('are on every host once one has tried them, while visits go on', async () => {
    {
      await using visits = visiting();
      await eventually(() => expect([...visits.seen]).toEqual(['shop v1']));
      await push('shop v2');
      expect(await asked(first, 'images', 'check', 'shop')).toMatchObject({ state: 'current' });
      await eventually(() => expect([...visits.seen]).toEqual(['shop v1', 'shop v2']), PATIENT);
    }
    await everywhere('shop v2');
    for (const host of fleet.hosts) expect(await canaries(host)).toEqual([]);
  });

  it('that fail are fetched by no other host, and reach nobody', async () => {
    const before = await images(workerAlone);
    {
      await using visits = visiting();
      await push('shop, broken', ENDS_AT_ONCE);
      expect(await asked(first, 'images', 'check', 'shop')).toMatchObject({ state: 'refused' });
      await eventually(() => expect([...visits.seen]).toEqual(['shop v2']));
    }
    expect(await images(workerAlone)).toEqual(before);
    await everywhere('shop v2');
  });

  it('are tried by another host when the one that does loses its power, which has them when it is back', async () => {
    // So that it is the first that begins.
    await second.part('server').stop();
    await push('shop v3', SERVES_LATE);
    await asked(first, 'images', 'check', 'shop', '--no-wait');
    await eventually(async () => expect(await canaries(first)).toHaveLength(1), PATIENT);
    await second.restartPart('server');
    expect(await image(second)).toMatchObject({ state: 'trying', trying: { node: first.machine.name } });
    await first.machine.powerOff();
    await eventually(async () => {
      expect(await image(second)).toMatchObject({ state: 'current', serves: { node: second.machine.name } });
    }, PATIENT);
    await everywhere('shop v3', [second, workerAlone]);
    await first.comeBack();
    await eventually(async () => expect(await canaries(first)).toEqual([]), PATIENT);
    const { serves } = (await image(second)) as { readonly serves?: { readonly id: string } };
    await everywhere('shop v3');
    expect(await images(first)).toContain(serves?.id);
  });

  it('are left on every host for the one before', async () => {
    expect(await asked(first, 'images', 'rollback', 'shop', '--yes')).toMatchObject({ image: remote });
    await everywhere('shop v2');
  });
});
