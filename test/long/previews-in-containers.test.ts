import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownDatabases } from '../../src/database/own-databases.ts';
import { EGRESS } from '../../src/domain/egress.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { networkFor, networkPlan } from '../../src/runtime/isolation/network-plan.ts';
import { launchEngine, titleFor, whyWithout, type RealEngine } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite, startMariadb, type TestMariadb } from '../support/mariadb.ts';
import { OPERATOR_KEY, askAdmin, type Json } from '../support/operator.ts';
import { ServerProcess } from '../support/server-process.ts';
import { loadTinyImage } from '../support/tiny-image.ts';

const PATIENT = { timeoutMs: 180_000 };
const NAME = 'shop-pr-7';
const ALLOW = [{ host: 'shop.example.org', port: 443, protocol: 'tcp' }] as const;

interface Visit {
  readonly id: string;
  readonly url: string;
}

describe.each<RealEngine>(['podman', 'docker'])('a preview, on %s', (kind) => {
  describe.skipIf(whyWithout(kind) !== undefined || mariadbSuite('MariaDB').skip)(titleFor(kind), () => {
    const cleanups = new Cleanups('the preview');
    let docker: Dockerode;
    let database: TestMariadb;
    let server: ServerProcess;
    let adminPort: number;
    /** Of the shop, and of two commits in the request. */
    let images: readonly string[];

    beforeAll(async () => {
      const engine = await launchEngine(kind);
      cleanups.push(() => engine[Symbol.asyncDispose]());
      const { socketPath } = engine;
      docker = new Dockerode({ host: '', socketPath });
      database = await startMariadb();
      cleanups.push(() => database[Symbol.asyncDispose]());
      const loaded: string[] = [];
      for (const says of ['released', 'first', 'second']) {
        const image = await loadTinyImage(socketPath, undefined, undefined, undefined, (root) =>
          writeFile(join(root, 'www/index.html'), says),
        );
        cleanups.push(() => image[Symbol.asyncDispose]());
        loaded.push(image.name);
      }
      images = loaded;
      const dir = await mkdtemp(join(tmpdir(), 'tin-preview-'));
      cleanups.push(() => rm(dir, { recursive: true }));
      const seed = join(dir, 'seed.sql');
      await writeFile(seed, 'CREATE TABLE notes (id INT PRIMARY KEY);');
      adminPort = await freePort();
      server = await ServerProcess.launch({
        ...{ engine: kind, engineSocket: socketPath, ports: 60, mariadb: database.launched },
        templates: [
          {
            ...{ name: 'shop', image: images[0], port: 80, database: { seed }, pool: { target: 1, max: 4 } },
            egress: { allow: ['shop.example.org:443'] },
            previews: { images: images.slice(1), max: 2 },
          },
        ],
        env: { ADMIN_ADDR: `127.0.0.1:${adminPort}`, OPERATOR_KEYS: OPERATOR_KEY },
      });
      cleanups.push(() => server[Symbol.asyncDispose]());
    });
    afterAll(async () => {
      await cleanups[Symbol.asyncDispose]();
    });

    async function operator(method: string, path: string, body?: Json): Promise<Json> {
      const asked = { key: OPERATOR_KEY, ...(body === undefined ? {} : { body }) };
      const answer = await askAdmin(adminPort, method, `/admin/v1${path}`, asked);
      if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
      return answer.json ?? {};
    }
    const put = (image: string | undefined): Promise<Json> =>
      operator('PUT', `/previews/${NAME}`, { from: 'shop', image });
    const restart = async (): Promise<void> => {
      await server.kill();
      await server.start();
    };

    /** As a client does that is told to come again. */
    const visit = (saying: string): Promise<Visit> =>
      eventually(async () => {
        const answer = await fetch(`${server.api}/api/v1/demo/acquire`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ template: NAME }),
        });
        expect(answer.status).toBe(201);
        const taken = (await answer.json()) as Visit;
        if ((await page(taken)) === saying) return taken;
        await end(taken);
        throw new Error(`${taken.id} does not say ${saying}`);
      }, PATIENT);
    async function page({ url }: Visit): Promise<string> {
      const { body } = await request(`http://127.0.0.1:${server.proxyPort}/`, { headers: { host: new URL(url).host } });
      return body.text();
    }
    const end = async ({ id }: Visit): Promise<void> => {
      const answer = await fetch(`${server.api}/api/v1/demo/${id}`, { method: 'DELETE' });
      await answer.text();
    };

    /** Containers, networks and databases of the preview. */
    async function left(): Promise<readonly string[]> {
      const { deployment } = server.auditTarget;
      const containers = await docker.listContainers({ all: true });
      const own = networkFor(networkPlan(kind, deployment), { name: NAME, egress: { ...EGRESS, allow: ALLOW } });
      const networks = (await docker.listNetworks()).map(({ Name }) => Name);
      const { instances } = (await operator('GET', '/instances?template=shop')) as { instances: { id: string }[] };
      const databases = (await ownDatabases({ mariadb: database.launched }, deployment)).map(({ name }) => name);
      return [
        ...containers.filter(({ Image }) => images.slice(1).includes(Image)).map(({ Id }) => Id),
        ...networks.filter((each) => each === own.name),
        // Their names tell nothing of whose they are.
        ...databases.filter((each) => each.includes('_i_')).slice(instances.length),
      ];
    }

    it('is made, goes on with its next image, and leaves nothing, with the server killed at every step', async () => {
      const [, first = '', second = ''] = images;
      await put(first);
      await restart();
      const held = await visit('first');
      await put(second);
      await restart();
      const later = await visit('second');
      expect(await page(held)).toBe('first');
      await end(later);
      await operator('DELETE', `/previews/${NAME}`);
      await restart();
      // Who is in it stays until the end of the visit.
      expect(await page(held)).toBe('first');
      expect(await left()).not.toEqual([]);
      await end(held);
      await restart();
      await eventually(async () => {
        expect(await left()).toEqual([]);
        expect((await operator('GET', '/previews'))['previews']).toEqual([]);
      }, PATIENT);
    });
  });
});
