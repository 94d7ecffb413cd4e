import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoctorContext } from '../../src/composition/doctor-context.ts';
import { createRuntime } from '../../src/composition/engines.ts';
import { loadConfig } from '../../src/config/load.ts';
import { runChecks } from '../../src/doctor/check.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import type { ContainerRuntime } from '../../src/pool/interfaces/container-runtime.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { launchEngine, titleFor, whyWithout } from '../support/container-engine.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { silent } from '../support/store.ts';
import { loadTinyImage } from '../support/tiny-image.ts';

/** Parts of the doctor. */
const ASKED: readonly string[] = ['Engine', 'NATS', 'Server', 'Nodes'];
const NAMES = ['simulated', 'podman'] as const;

/** Two apps, each made on the node with its label alone. */
function catalogue(image: string): string {
  const templates = NAMES.map(
    (name) =>
      `  - { name: ${name}, image: "${image}", port: 80, nodes: [${name}], pool: { target: 1, max: 2 }, ` +
      'ttl: { default: 1m, max: 5m } }',
  );
  return ['templates:', ...templates, ''].join('\n');
}

describe.skipIf(whyWithout('podman') !== undefined)(
  `a server without an engine, and workers elsewhere: simulated and ${titleFor('podman')}`,
  () => {
    const cleanups = new Cleanups('the server without an engine');
    let stack: Stack;
    let env: Readonly<Record<string, string>>;
    let podman: ContainerRuntime;
    let valkey: Valkey;

    beforeAll(async () => {
      const engine = await launchEngine('podman');
      cleanups.push(() => engine[Symbol.asyncDispose]());
      const image = await loadTinyImage(engine.socketPath);
      cleanups.push(() => image[Symbol.asyncDispose]());
      const file = join(await ownFolder(cleanups, 'without-engine-'), 'templates.yaml');
      await writeFile(file, catalogue(image.name));
      const { config: read, templatesText: text } = loadConfig({ TEMPLATES_FILE: file });
      const { templates } = read;
      stack = await startStack({
        templates,
        readTemplates: () => ({ templates, text, warnings: [] }),
        env: { CONTAINER_MODE: 'none' },
      });
      cleanups.push(() => stack[Symbol.asyncDispose]());
      env = { ...environmentOf(stack), TEMPLATES_FILE: file, CRIU_ENABLED: 'false' };
      valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
      cleanups.push(() => valkey.disconnect());
      const { config } = loadConfig({ ...env, CONTAINER_MODE: 'podman', PODMAN_SOCKET: engine.socketPath });
      podman = createRuntime(
        await loadEngine('podman'),
        { ...config, node: { ...config.node, name: 'node1' } },
        silent,
      );
      cleanups.push(async () => {
        for (const { name } of await podman.list()) await podman.remove(name);
        await podman.unprepare();
        await podman.close();
      });
      for (const [mode, node] of [
        ['simulated', 'node0'],
        ['podman', 'node1'],
      ] as const) {
        const ports = await claimPorts(30);
        cleanups.push(() => ports[Symbol.asyncDispose]());
        const worker = new Program(['worker'], {
          ...env,
          CONTAINER_MODE: mode,
          PODMAN_SOCKET: engine.socketPath,
          NODE_NAME: node,
          NODE_LABELS: mode,
          WORKER_METRICS_ADDR: `127.0.0.1:${await freePort()}`,
          CONTAINER_PORT_RANGE_START: String(ports.start),
          CONTAINER_PORT_RANGE_END: String(ports.end),
        });
        cleanups.push(async () => {
          worker.signal('SIGTERM');
          await worker.exitCode;
        });
      }
    });
    afterAll(() => cleanups[Symbol.asyncDispose]());

    async function recordOf(id: string): Promise<Instance | undefined> {
      const text = await valkey.hget('instances', id);
      return text === null ? undefined : (JSON.parse(text) as Instance);
    }

    async function run(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
      await using program = new Program(args, { ...env, ...more });
      return { code: await program.exitCode, output: program.output };
    }

    it.each(NAMES)('serves a whole visit of an app on the %s node', async (name) => {
      const acquired = await eventually(async () => {
        const answer = await fetch(`${stack.api}/api/v1/demo/acquire`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ template: name }),
        });
        expect(answer.status).toBe(201);
        return (await answer.json()) as { readonly id: string; readonly url: string };
      });
      const record = await recordOf(acquired.id);
      expect(record).toMatchObject({ template: name, node: name === 'podman' ? 'node1' : 'node0' });
      const { host, pathname } = new URL(acquired.url);
      const page = await request(`${stack.proxy}${pathname}`, { headers: { host } });
      await page.body.dump();
      expect(page.statusCode).toBe(200);
      // It compares what is recorded as it starts, and has no engine to ask about what nodes hold.
      await stack.restart();
      expect(await recordOf(acquired.id)).toMatchObject({ state: 'assigned' });
      if (name === 'podman')
        expect((await podman.list()).filter(({ running }) => running).map((each) => each.name)).toContain(
          record?.container,
        );

      const released = await fetch(`${stack.api}/api/v1/demo/${acquired.id}`, { method: 'DELETE' });
      expect(released.ok).toBe(true);
      await eventually(async () => expect(await recordOf(acquired.id)).toBeUndefined());
      expect((await podman.list()).map((each) => each.name)).not.toContain(record?.container);
    });

    it('is no node', async () => {
      expect((await valkey.hkeys('nodes')).sort()).toEqual(['node0', 'node1']);
      expect(await valkey.keys('*:-')).toEqual([]);
    });

    it('says so in doctor', async () => {
      const { checks, close } = await openDoctorContext(stack.config, silent);
      const said = (await runChecks(checks.filter(({ part }) => ASKED.includes(part)))).map(
        ({ verdict, what, seen }) => `${verdict}: ${what}: ${seen}`,
      );
      close();
      expect(said).toContain('ok: answers: none on this host, as CONTAINER_MODE says; instances are on node0, node1');
      expect(said.filter((line) => line.includes('servers: '))).toEqual([
        expect.stringMatching(/^ok: .*server \S+ \(test, no engine, leads [^)]*pool/) as string,
      ]);
      expect(said).toContain(
        'ok: proxy addresses: no server is on a node; see that PROXY_ADDRESSES of every node has the addresses of ' +
          'those without an engine',
      );
      expect(said.filter((line) => /consumer (provision|cleanup)-workers/.test(line))).toEqual([]);
      expect(checks.filter(({ part }) => part === 'Ports')).toEqual([]);
    });

    it.each([
      ['reconcile', ['reconcile'], 'no container engine to compare what is recorded with'],
      ['a checkpoint', ['checkpoint', 'create', 'podman'], 'no container engine to make or try checkpoints with'],
      ['clean-demos', ['clean-demos', '--yes', '--force'], 'no container engine to look for containers'],
    ])('refuses %s, and says where it can be done', async (_, args, why) => {
      const { code, output } = await run(args, { CRIU_ENABLED: 'auto' });
      expect(output).toContain(why);
      expect(output).toContain('do it on a host with a worker');
      expect(code).not.toBe(0);
      expect((await podman.list()).length).toBeGreaterThan(0);
    });

    it('ends where it cannot start, so that it is started again', async () => {
      // The other one listens there.
      const { code, output } = await run(['serve']);
      expect(output).toContain('another program listens there');
      expect(code).toBe(1);
    });

    it('lets no worker start so', async () => {
      const { code, output } = await run(['worker']);
      expect(output).toContain('CONTAINER_MODE is none, with which a worker could do nothing');
      expect(code).toBe(78);
    });

    it('lets no worker fall back to simulated containers', async () => {
      const { code, output } = await run(['worker'], {
        CONTAINER_MODE: 'auto',
        PODMAN_SOCKET: '/run/nowhere/podman.sock',
        DOCKER_SOCKET: '/run/nowhere/docker.sock',
      });
      expect(output).toMatch(
        /No container engine answers on this host \(.*\/run\/nowhere\/podman\.sock does not answer.*PODMAN_SOCKET/,
      );
      expect(output).not.toContain('only simulated');
      expect(code).toBe(1);
    });
  },
);
