import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { connectMariadb } from '../../src/database/mariadb/mariadb-databases.ts';
import { fillLanding } from '../../src/domain/landing.ts';
import { DATABASE_MOUNT, type Template } from '../../src/domain/template.ts';
import { launchMariadb } from '../../src/launcher/mariadb.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { activate, askIdentity, type Identity, type Reach } from '../../src/pool/activate.ts';
import type { ContainerRuntime, ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import type { Databases } from '../../src/pool/interfaces/databases.ts';
import { createPodmanRuntime } from '../../src/runtime/podman/podman-runtime.ts';
import { HttpProbe } from '../../src/runtime/readiness/http-probe.ts';
import { newSpec, untilReady } from '../contract/container-runtime.ts';
import {
  launchEngine,
  titleFor,
  uniqueDeployment,
  whyWithout,
  type LaunchedEngine,
} from '../support/container-engine.ts';
import { silent } from '../support/store.ts';

const run = promisify(execFile);
const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const never = new AbortController().signal;
/** Without a base in the cache folder it is made of Debian packages first. */
const BUILD_TIMEOUT_MS = 300_000;

/** Kept from what the app answers: cookies and redirects are the browser's business. */
interface Page {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

describe.skipIf(whyWithout('podman') !== undefined)(`the WordPress image: ${titleFor('podman')}`, () => {
  const tag = `test-${randomBytes(5).toString('hex')}`;
  const image = `localhost/try-it-now/wordpress:${tag}`;
  const releasers = new Releasers();
  const deployment = uniqueDeployment();
  let engine: LaunchedEngine;
  let runtime: ContainerRuntime;
  let databases: Databases;
  let template: Template;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tin-wordpress-'));
    releasers.push('folder', () => rm(folder, { recursive: true }));
    // The database server's own account has to get through.
    await chmod(folder, 0o711);
    engine = await launchEngine('podman');
    releasers.push('engine', () => engine[Symbol.asyncDispose]());
    const docker = new Dockerode({ host: '', socketPath: engine.socketPath });
    await run(path('scripts/build-image.sh'), ['wordpress', '--engine', 'podman', '--tag', tag], {
      env: { ...process.env, CONTAINER_HOST: `unix://${engine.socketPath}` },
    });
    releasers.push('image', () => docker.getImage(image).remove({ force: true }));

    const server = await launchMariadb({ dir: join(folder, 'mariadb') });
    releasers.push('MariaDB', () => server[Symbol.asyncDispose]());
    template = { ...fromCatalogue(server), image };
    databases = connectMariadb({
      ...server,
      deployment,
      mountedAt: DATABASE_MOUNT,
      catalogue: { all: () => [template] },
      log: silent,
    });
    releasers.push('databases', () => databases.close());
    await databases.prepare([template]);

    runtime = createPodmanRuntime({
      socketPath: engine.socketPath,
      deployment,
      node: 'node-a',
      resolvers: [],
      databaseFolders: { mariadb: dirname(server.socketPath) },
      log: silent,
    });
    releasers.push('network', () => runtime.unprepare());
    releasers.push('containers', async () => {
      for (const { name } of await runtime.list()) await runtime.remove(name);
    });
    await runtime.prepare([template]);
  }, BUILD_TIMEOUT_MS);
  afterAll(() => releasers.releaseAll(silent), 60_000);

  function fromCatalogue({
    socketPath,
    password,
  }: {
    readonly socketPath: string;
    readonly password: string;
  }): Template {
    const { config } = loadConfig({
      TEMPLATES_FILE: path('examples/wordpress/template.yaml'),
      DATABASE_SOCKET: socketPath,
      DATABASE_PASSWORD: password,
    });
    const [found] = config.templates;
    if (found === undefined) throw new Error('the catalogue of the example offers nothing');
    return found;
  }

  async function start(): Promise<ContainerSpec> {
    const spec = await newSpec(template, { hostPort: await freePort() });
    await runtime.start(spec, never);
    await untilReady(spec);
    return spec;
  }

  async function get(
    { hostPort }: ContainerSpec,
    address: string,
    headers: Record<string, string> = {},
  ): Promise<Page> {
    const answer = await fetch(`http://127.0.0.1:${hostPort}${address}`, { redirect: 'manual', headers });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  }

  async function identityFor({ hostPort, instanceId }: ContainerSpec): Promise<Identity> {
    const name = databases.nameFor(template, { keepUntilMs: Date.now() + 600_000 });
    const database = await databases.create(name, template);
    releasers.push('database', () => databases.drop(name));
    return {
      instanceId: instanceId ?? '',
      hostname: '127.0.0.1',
      url: `http://127.0.0.1:${hostPort}/`,
      seed: randomBytes(32).toString('hex'),
      database,
    };
  }

  const reachOf = ({ name, hostPort }: ContainerSpec): Reach => ({
    container: name,
    origin: `http://127.0.0.1:${hostPort}`,
    upstream: { address: '127.0.0.1', port: hostPort },
    visitor: { scheme: 'http', host: `127.0.0.1:${hostPort}` },
  });
  const handOver = (spec: ContainerSpec, identity: Identity): Promise<string | undefined> =>
    activate({ runtime, probe: new HttpProbe() }, template, reachOf(spec), identity, never);
  const identityOf = async (spec: ContainerSpec): Promise<string> => {
    if (template.identity === undefined || template.identity === 'none')
      throw new Error('the template has no identity probe');
    return askIdentity({ runtime, probe: new HttpProbe() }, template, template.identity, reachOf(spec), never);
  };

  it('is ready before it has an identity or a database, and shows nothing of the shop until then', async () => {
    const spec = await start();
    expect(await get(spec, '/.try-it-now/ready')).toMatchObject({ status: 200, text: 'ready\n' });
    for (const address of [
      '/',
      '/wp-login.php',
      '/wp-admin/',
      '/wp-config.php',
      '/app/activate.php',
      '/wp-content/uploads/shop/mug.svg',
    ]) {
      expect([address, (await get(spec, address)).status]).toEqual([address, 503]);
    }
    await expect(identityOf(spec)).rejects.toThrow('has not been activated');
  });

  it('compiles its code once, for all of its workers', async () => {
    const spec = await start();
    const warm = async (): Promise<{ compiled: number; cached: number; freeBytes: number }> =>
      JSON.parse((await get(spec, '/.try-it-now/warm')).text) as never;
    const first = await warm();
    expect(first.compiled).toBeGreaterThan(400);
    expect(first.freeBytes).toBeGreaterThan(8 * 2 ** 20);
    // More at a time than there are workers, so that others than the first answer too.
    const later = await Promise.all(Array.from({ length: 8 }, warm));
    expect(later.map(({ compiled }) => compiled)).toEqual(later.map(() => 0));
  });

  it('is handed over once, and then is a shop with an owner', async () => {
    const spec = await start();
    const identity = await identityFor(spec);
    await handOver(spec, identity);
    const said = await identityOf(spec);
    await expect(handOver(spec, { ...identity, seed: randomBytes(32).toString('hex') })).rejects.toThrow(
      'activated before',
    );
    expect(await identityOf(spec)).toBe(said);

    const front = await get(spec, '/');
    expect(front.status).toBe(200);
    expect(front.text).toContain('Harbour mug');
    expect(front.text).toMatch(/user <code>demo<\/code>.*password <code>[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}<\/code>/);
    expect(front.text).not.toContain('shop.invalid');
    expect(await get(spec, '/harbour-mug/')).toMatchObject({ status: 200 });
    expect(await get(spec, '/no-such-page/')).toMatchObject({ status: 404 });
    expect((await get(spec, '/wp-login.php')).text).toContain('This shop is yours alone');
    expect((await get(spec, '/wp-admin')).headers.get('location')).toBe('/wp-admin/');
    // Nothing that hands over, warms up or tells secrets is to be had from outside.
    for (const address of [
      '/.try-it-now/warm',
      '/.try-it-now/activate',
      '/activate.php',
      '/app/activate.php',
      '/..%2f..%2fapp/activate.php',
      '/.htaccess',
    ]) {
      expect([address, (await get(spec, address)).status]).toEqual([address, 404]);
    }
    const command = template.export?.kind === 'exec' ? template.export.command : [];
    const exported = await runtime.output(spec.name, command, never);
    expect(await text(exported.stdout)).toMatch(/^<\?xml version="1.0"[^]*Harbour mug[^]*<\/rss>\s*$/);
    expect(await exported.result()).toEqual({ exitCode: 0, output: '' });
    const picture = await get(spec, '/wp-content/uploads/shop/mug.svg');
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/svg+xml']);
    expect(
      await get(spec, '/wp-content/uploads/shop/mug.svg', { 'If-None-Match': picture.headers.get('etag') ?? '' }),
    ).toMatchObject({ status: 304, text: '' });
  });

  it('lets its visitor in by the address it was handed over with, once, and to its own pages alone', async () => {
    const spec = await start();
    const step = fillLanding((await handOver(spec, await identityFor(spec))) ?? '', template.open);
    const lead = async (address: string) => {
      const { status, headers } = await get(spec, address);
      return [status, headers.get('location')?.replace(/^http:\/\/[^/]+/, ''), headers.getSetCookie().length > 0];
    };
    expect(await lead(step.replace(/=[0-9a-f]{4}/, '=0000'))).toEqual([303, '/wp-admin/', false]);
    const answers = await Promise.all(Array.from({ length: 4 }, () => get(spec, step)));
    const cookies = answers.map(({ headers }) => headers.getSetCookie());
    expect(cookies.filter((lines) => lines.length > 0)).toHaveLength(1);
    const cookie = cookies.flatMap((lines) => lines.map((line) => line.replace(/;.*/, ''))).join('; ');
    expect((await get(spec, '/wp-admin/', { cookie })).text).toContain('Dashboard');
    expect(await lead(step)).toEqual([303, '/wp-admin/', false]);
    expect((await get(spec, '/wp-admin/')).status).toBe(302);
    for (const to of ['//evil.example/', 'https://evil.example/', '/\\evil.example/']) {
      const { headers } = await get(spec, `/?try_it_now_first_step=x&to=${encodeURIComponent(to)}`);
      expect(new URL(headers.get('location') ?? '').host).toBe(`127.0.0.1:${spec.hostPort}`);
    }
  });

  it('gives two shops nothing in common, and tells no secret when asked who it is', async () => {
    const [one, two] = await Promise.all([start(), start()]);
    const [first, second] = [await identityFor(one), await identityFor(two)];
    await Promise.all([handOver(one, first), handOver(two, second)]);
    const [said, other] = [await identityOf(one), await identityOf(two)];
    const values = (text: string): string[] => [...text.matchAll(/": "([^"]+)"/g)].map(([, value]) => value ?? '');
    expect(values(said)).toHaveLength(12);
    expect(values(said).filter((value) => values(other).includes(value))).toEqual([]);
    for (const secret of [first.seed, first.instanceId, first.database?.password ?? 'none'])
      expect(said).not.toContain(secret);
  });

  it.each<[string, (identity: Identity) => Identity, RegExp]>([
    [
      'without a database',
      (identity) => ({ ...identity, database: undefined }),
      /TRY_IT_NOW_DATABASE_SOCKET is missing/,
    ],
    [
      'with half a seed',
      (identity) => ({ ...identity, seed: identity.seed.slice(32) }),
      /TRY_IT_NOW_SEED is missing or not as it should be/,
    ],
    [
      'with code in the address',
      (identity) => ({ ...identity, url: "http://x'.phpinfo().'/" }),
      /TRY_IT_NOW_URL is missing or not as it should be/,
    ],
    [
      'with a password that the database refuses',
      (identity) => ({ ...identity, database: identity.database && { ...identity.database, password: 'wrong' } }),
      /Access denied/,
    ],
  ])('says why it cannot be handed over %s, and can be afterwards', async (_, broken, reason) => {
    const spec = await start();
    const identity = await identityFor(spec);
    await expect(handOver(spec, broken(identity))).rejects.toThrow(reason);
    expect((await get(spec, '/')).status).toBe(503);
    await handOver(spec, identity);
    expect((await get(spec, '/')).status).toBe(200);
  });
});
