import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { EGRESS } from '../../src/domain/egress.ts';
import { ownDatabases } from '../../src/database/own-databases.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { networkFor, networkPlan } from '../../src/runtime/isolation/network-plan.ts';
import { launchEngine, titleFor, whyWithout, type RealEngine } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite, startMariadb, type TestMariadb } from '../support/mariadb.ts';
import { OPERATOR_KEY, askAdmin, type Json } from '../support/operator.ts';
import { Program } from '../support/program.ts';
import { ServerProcess } from '../support/server-process.ts';
import { loadTinyImage } from '../support/tiny-image.ts';

const run = promisify(execFile);
const PATIENT = { timeoutMs: 180_000 };
const TARGET = 2;
const NAMED = { name: 'shop' } as const;
const ALLOW = [{ host: 'shop.example.org', port: 443, protocol: 'tcp' }] as const;

interface Visit {
  readonly id: string;
  readonly url: string;
}

interface Inspected {
  readonly imageId: string;
  readonly memory: number;
  readonly networks: readonly string[];
}

describe.each<RealEngine>(['podman', 'docker'])('a reload of the templates under visits, on %s', (kind) => {
  describe.skipIf(whyWithout(kind) !== undefined || mariadbSuite('MariaDB').skip)(titleFor(kind), () => {
    const cleanups = new Cleanups('the reload');
    let docker: Dockerode;
    let database: TestMariadb;
    let server: ServerProcess;
    let adminPort: number;
    let file: string;
    let shop: Json;
    let changes: readonly (readonly [string, Json])[];
    const quiet = { name: 'quiet', image: '', port: 80, pool: { target: 1, max: 2 } };

    beforeAll(async () => {
      const engine = await launchEngine(kind);
      cleanups.push(() => engine[Symbol.asyncDispose]());
      const { socketPath } = engine;
      docker = new Dockerode({ host: '', socketPath });
      database = await startMariadb();
      cleanups.push(() => database[Symbol.asyncDispose]());
      const images: string[] = [];
      for (const says of ['v1', 'v2']) {
        const image = await loadTinyImage(socketPath, undefined, undefined, undefined, (root) =>
          writeFile(join(root, 'www/index.html'), says),
        );
        cleanups.push(() => image[Symbol.asyncDispose]());
        images.push(image.name);
      }
      const dir = await mkdtemp(join(tmpdir(), 'tin-reload-'));
      cleanups.push(() => rm(dir, { recursive: true }));
      file = join(dir, 'templates.yaml');
      const seeds = ['one', 'two'].map((name) => join(dir, `${name}.sql`));
      for (const seed of seeds)
        await writeFile(seed, `CREATE TABLE notes (id INT PRIMARY KEY); INSERT INTO notes VALUES (${seed.length});`);
      await writeFile(seeds[1] ?? '', 'CREATE TABLE others (id INT PRIMARY KEY);');
      quiet.image = images[0] ?? '';
      shop = {
        ...{ ...NAMED, image: images[0], port: 80, database: { seed: seeds[0] } },
        activation: { exec: ['/bin/sh', '-c', 'echo "$TRY_IT_NOW_INSTANCE_ID $TRY_IT_NOW_SEED" > /www/whoami'] },
        identity: { http: '/whoami' },
        limits: { memory: '32MiB' },
        egress: { allow: ['shop.example.org:443'] },
        pool: { target: TARGET, max: 8 },
      };
      changes = [
        ['image', { image: images[1] }],
        ['memory', { limits: { memory: '48MiB' } }],
        ['egress', { egress: { allow: ['other.example.org:443'] } }],
        ['database', { database: { seed: seeds[1] } }],
      ];
      await write(shop, quiet);
      adminPort = await freePort();
      const { launched } = database;
      server = await ServerProcess.launch({
        ...{ engine: kind, engineSocket: socketPath, ports: 60, mariadb: launched },
        templates: [],
        env: {
          ...{ TEMPLATES_FILE: file, CRIU_ENABLED: 'auto', ADMIN_ADDR: `127.0.0.1:${adminPort}` },
          OPERATOR_KEYS: OPERATOR_KEY,
        },
      });
      cleanups.push(() => server[Symbol.asyncDispose]());
    });
    afterAll(async () => {
      await cleanups[Symbol.asyncDispose]();
    });

    const write = (...templates: readonly Json[]): Promise<void> => writeFile(file, stringify({ templates }));
    const operator = async (method: string, path: string): Promise<Json> => {
      const body = method === 'GET' ? {} : { body: {} };
      const answer = await askAdmin(adminPort, method, `/admin/v1${path}`, { key: OPERATOR_KEY, ...body });
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
      return answer.json ?? {};
    };
    const reload = (): Promise<Json> => operator('POST', '/templates/reload');

    const ready = async (): Promise<readonly { readonly id: string; readonly container: string }[]> =>
      (await operator('GET', '/instances?template=shop&state=ready'))['instances'] as never;

    async function inspect(container: string): Promise<Inspected> {
      const found = await docker.getContainer(container).inspect();
      const networks = Object.keys(found.NetworkSettings.Networks);
      return { imageId: found.Image, memory: found.HostConfig.Memory ?? 0, networks };
    }

    /** As many as the pool is to hold, and none of these. */
    const replaced = (
      before: ReadonlySet<string>,
    ): Promise<readonly { readonly id: string; readonly container: string }[]> =>
      eventually(async () => {
        const found = await ready();
        expect(found.filter(({ id }) => !before.has(id))).toHaveLength(TARGET);
        expect(found).toHaveLength(TARGET);
        return found;
      }, PATIENT);

    async function visit(): Promise<Visit & AsyncDisposable> {
      return eventually(async () => {
        const answer = await fetch(`${server.api}/api/v1/demo/acquire`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ template: 'shop' }),
        });
        expect(answer.status).toBe(201);
        const taken = (await answer.json()) as Visit;
        return { ...taken, [Symbol.asyncDispose]: () => end(taken) };
      }, PATIENT);
    }
    async function whoami({ url }: Visit): Promise<string> {
      const { body } = await request(`http://127.0.0.1:${server.proxyPort}/whoami`, {
        headers: { host: new URL(url).host },
      });
      return (await body.text()).trim();
    }
    const end = async ({ id }: Visit): Promise<void> => {
      await fetch(`${server.api}/api/v1/demo/${id}`, { method: 'DELETE' });
    };

    const own = () =>
      networkFor(networkPlan(kind, server.auditTarget.deployment), {
        ...NAMED,
        egress: { ...EGRESS, allow: ALLOW },
      });
    /** Rules, sets and the network that there are for the template. */
    async function left(): Promise<readonly string[]> {
      const { bridge, chain, name } = own();
      const outputs = await Promise.all([
        ...['iptables', 'ip6tables'].map((command) => run(command, ['-w', '10', '-t', 'mangle', '-S'])),
        run('ipset', ['list', '-name']),
      ]);
      const lines = outputs.flatMap(({ stdout }) => stdout.split('\n'));
      const networks = (await docker.listNetworks()).map(({ Name }) => Name);
      const { deployment } = server.auditTarget;
      const databases = await ownDatabases({ mariadb: database.launched }, deployment);
      return [
        ...lines.filter((line) => line.includes(bridge) || line.includes(chain)),
        ...networks.filter((each) => each === name),
        ...databases.map((each) => each.name),
      ];
    }

    /** Docker's instances start cold. */
    const restores = kind === 'podman';
    async function promoteNew(): Promise<void> {
      await using made = new Program(['checkpoint', 'create', 'shop', '--promote'], server.env);
      expect([await made.exitCode, made.output]).toEqual([0, expect.stringContaining('promoted')]);
    }

    it('replaces what is ready with each change, and nobody who visits notices', async () => {
      const { launched } = database;
      await eventually(async () => expect(await ready()).toHaveLength(TARGET), PATIENT);
      if (restores) await promoteNew();
      const metrics = async (): Promise<string> => (await fetch(`${server.api}/metrics`)).text();
      const method = restores ? 'criu_restore' : 'cold_start';
      await eventually(
        async () =>
          expect(await metrics()).toMatch(`provisions_total{template="shop",method="${method}",status="success"}`),
        PATIENT,
      );
      await using held = await visit();
      const is = await whoami(held);
      expect(is).not.toBe('');
      const before = new Set((await replaced(new Set())).map(({ id }) => id));
      for (const [what, change] of changes) {
        shop = { ...shop, ...change };
        await write(shop, quiet);
        expect((await reload())['changes'], what).toContainEqual(
          expect.objectContaining({ template: 'shop', change: 'changed', visitors: 1 }),
        );
        const now = await replaced(before);
        for (const { id } of now) before.add(id);
        expect(await whoami(held), what).toBe(is);
      }
      // What a dump is to be like makes no other version; a new one that is promoted does.
      shop = { ...shop, checkpoint: { random: 'confirmed' } };
      await write(shop, quiet);
      expect((await reload())['changes']).toContainEqual(
        expect.objectContaining({ template: 'shop', change: 'changed', replaced: 0 }),
      );
      if (restores) {
        await promoteNew();
        await replaced(before);
      }
      expect(await whoami(held)).toBe(is);
      const [first] = await ready();
      const image = (await docker.getImage(String(shop['image'])).inspect()).Id;
      const { memory, imageId, networks } = await inspect(first?.container ?? '');
      expect([memory, imageId, networks]).toEqual([48 * 1024 ** 2, image, [own().name]]);
      await eventually(async () => {
        const names = (await ownDatabases({ mariadb: launched }, server.auditTarget.deployment)).map(
          ({ name }) => name,
        );
        expect(names.filter((name) => name.includes('_s_'))).toHaveLength(1);
      }, PATIENT);
    });

    it('leaves nothing of one that is removed, once its last visit has ended', async () => {
      await using held = await visit();
      const is = await whoami(held);
      await write(quiet);
      await reload();
      await eventually(async () => expect(await ready()).toEqual([]), PATIENT);
      expect(await whoami(held)).toBe(is);
      // It still finds its name server, also after a reconcile.
      await operator('POST', '/templates/reload');
      const lookup = new RegExp(`-d \\S+ -i ${own().bridge} -p udp .*--dport 53 `);
      expect((await left()).join('\n')).toMatch(lookup);
      expect(server.tail(200)).not.toMatch(/remove the network/);
      await end(held);
      await eventually(async () => expect(await left()).toEqual([]), PATIENT);
    });

    it('leaves nothing of one that was removed while the server was down', async () => {
      await write(shop, quiet);
      await reload();
      await eventually(async () => expect(await ready()).toHaveLength(TARGET), PATIENT);
      expect(await left()).not.toEqual([]);
      await server.kill();
      await write(quiet);
      await server.start();
      await eventually(async () => expect(await left()).toEqual([]), PATIENT);
    });
  });
});
