import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { Redis as Valkey } from 'iovalkey';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { launchEngine, titleFor, whyWithout } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { imageRegistry, type ImageRegistry } from '../support/image-registry.ts';
import { OPERATOR_KEY, askAdmin, type Json } from '../support/operator.ts';
import { Program } from '../support/program.ts';
import { ServerProcess } from '../support/server-process.ts';
import { loadTinyImage } from '../support/tiny-image.ts';

const run = promisify(execFile);
const SHELL = ['/bin/sh', '-c'];
const SERVE = ['/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/www'];
const BROKEN_ANSWER = String.raw`printf 'HTTP/1.0 500 Internal Server Error\r\n\r\nbad shop'`;
const TARGET = 3;
/** Of one visitor after another: the pool can follow. */
const BETWEEN_VISITS_MS = 1_000;

/** What the shop says at `/`, and what starts it. */
interface Release {
  readonly says: string;
  readonly command?: readonly string[];
  /** A program that says whose instance it is. */
  readonly identity?: string;
}

/** What it was told in its activation. */
const OWN_IDENTITY = String.raw`#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
/bin/busybox cat /www/whoami
`;
const SAME_FOR_ALL = String.raw`#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
echo "the one and only"
`;
const PATIENT = { timeoutMs: 180_000 };

const ENDS_AT_ONCE: Release = { says: 'bad shop', command: ['/bin/busybox', 'false'] };
const ANSWERS_500: Release = {
  says: 'bad shop',
  command: [...SHELL, `while :; do ${BROKEN_ANSWER} | /bin/busybox nc -l -p 80; done`],
};
const LACKS_THE_TEXT: Release = { says: 'bad: under construction' };
const NEVER_READY: Release = { says: 'bad shop', command: ['/bin/busybox', 'sleep', '3600'] };

describe.skipIf(whyWithout('podman') !== undefined)(`new images from a registry, on ${titleFor('podman')}`, () => {
  const cleanups = new Cleanups('the shop');
  let docker: Dockerode;
  let registry: ImageRegistry;
  let server: ServerProcess;
  let remote: string;
  let valkey: Valkey;
  let adminPort: number;
  let socketPath: string;
  const pushed: string[] = [];
  let byHand: unknown;

  beforeAll(async () => {
    const engine = await launchEngine('podman');
    cleanups.push(() => engine[Symbol.asyncDispose]());
    ({ socketPath } = engine);
    docker = new Dockerode({ host: '', socketPath });
    registry = await imageRegistry();
    cleanups.push(() => registry[Symbol.asyncDispose]());
    remote = `${registry.address}/shop:1`;
    cleanups.push(removeImages);
    await push({ says: 'shop v1' });
    adminPort = await freePort();
    server = await ServerProcess.launch({
      engine: 'podman',
      engineSocket: socketPath,
      ports: 60,
      templates: [
        {
          ...{ name: 'shop', image: remote, port: 80, image_check: 'manual', warmup: ['/'] },
          smoke: [{ path: '/', status: 200, text: 'shop' }],
          activation: { exec: [...SHELL, 'echo "$TRY_IT_NOW_INSTANCE_ID $TRY_IT_NOW_SEED" > /www/whoami'] },
          identity: { http: '/cgi-bin/me' },
          readiness: { path: '/', timeout: '4s', request_timeout: '2s' },
          limits: { memory: '32MiB' },
          pool: { target: TARGET, max: 12 },
        },
      ],
      env: {
        ADMIN_ADDR: `127.0.0.1:${adminPort}`,
        CRIU_ENABLED: 'auto',
        OPERATOR_KEYS: OPERATOR_KEY,
        REGISTRY_AUTH_FILE: registry.credentialsFile,
      },
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    valkey = new Valkey({ host: '127.0.0.1', port: server.auditTarget.valkeyPort });
    cleanups.push(() => valkey.quit());
    await eventually(async () => expect(await readySays()).toEqual(Array(TARGET).fill('shop v1')));
  });
  afterAll(async () => {
    await cleanups[Symbol.asyncDispose]();
  });

  /** Into the registry under the one name; this host keeps nothing of it. */
  async function push({ says, command = SERVE, identity = OWN_IDENTITY }: Release): Promise<void> {
    await using local = await loadTinyImage(socketPath, command, [], undefined, async (root) => {
      await writeFile(join(root, 'www/index.html'), says);
      await writeFile(join(root, 'www/cgi-bin/me'), identity, { mode: 0o755 });
    });
    pushed.push((await docker.getImage(local.name).inspect()).Id);
    // So that the name leads nowhere else on this host meanwhile.
    await run('podman', ['push', '--quiet', '--authfile', registry.credentialsFile, local.name, `docker://${remote}`]);
  }

  async function removeImages(): Promise<void> {
    for (const id of pushed)
      await docker
        .getImage(id)
        .remove({ force: true })
        .catch(() => undefined);
  }

  const operator = async (method: string, path: string): Promise<Json> => {
    const body = method === 'GET' ? {} : { body: {} };
    const answer = await askAdmin(adminPort, method, `/admin/v1${path}`, { key: OPERATOR_KEY, ...body });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.json ?? {};
  };
  const image = async (): Promise<Json> => ((await operator('GET', '/images'))['images'] as readonly Json[])[0] ?? {};
  const check = (): Promise<Json> => operator('POST', '/images/shop/check');
  const settled = (): Promise<Json> =>
    eventually(async () => {
      const now = await image();
      expect(now['state']).not.toMatch(/asked|trying/);
      return now;
    });

  /** What a visitor reads at an address. */
  async function read(url: string): Promise<string> {
    const { hostname } = new URL(url);
    const answer = await request(`http://127.0.0.1:${server.proxyPort}/`, {
      headers: { host: `${hostname}:${server.proxyPort}` },
    });
    const text = await answer.body.text();
    return answer.statusCode === 200 ? text : `${answer.statusCode} ${text}`;
  }

  async function readySays(): Promise<readonly string[]> {
    const { instances } = (await operator('GET', '/instances?state=ready')) as unknown as {
      readonly instances: readonly { readonly url: string }[];
    };
    return Promise.all(instances.map(({ url }) => read(url)));
  }

  const canaries = async (): Promise<readonly string[]> =>
    (await docker.listContainers({ all: true })).flatMap(({ Names }) =>
      Names.filter((name) => name.includes('demo-canary-')),
    );

  /** Somebody comes, looks, and goes, again and again. All that they read, until they are stopped. */
  function visiting(): AsyncDisposable & { readonly seen: ReadonlySet<string> } {
    const seen = new Set<string>();
    const over = new AbortController();
    const going = (async () => {
      while (!over.signal.aborted) {
        const answer = await fetch(`${server.api}/api/v1/demo/acquire`, { method: 'POST' });
        // None ready at this moment: the pool is small.
        if (answer.status !== 201) {
          await answer.text();
          await sleep(BETWEEN_VISITS_MS);
          continue;
        }
        const { id, url } = (await answer.json()) as { readonly id: string; readonly url: string };
        seen.add(await read(url));
        await fetch(`${server.api}/api/v1/demo/${id}`, { method: 'DELETE' });
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

  it('are everywhere once they have passed, while visits go on', async () => {
    // Decided on when the server looks for the first time after it has it.
    const before = await eventually(async () => {
      const found = await image();
      expect(found['serves']).not.toBeNull();
      return found;
    });
    const stays = await fetch(`${server.api}/api/v1/demo/acquire`, { method: 'POST' });
    const { id, url } = (await stays.json()) as { readonly id: string; readonly url: string };
    {
      await using visits = visiting();
      await eventually(() => expect([...visits.seen]).toEqual(['shop v1']));
      await push({ says: 'shop v2' });
      await check();
      expect(await settled()).toMatchObject({
        state: 'current',
        former: { digest: (before['serves'] as Json)['digest'] },
      });
      await eventually(() => expect([...visits.seen]).toEqual(['shop v1', 'shop v2']));
    }
    await eventually(async () => expect(await readySays()).toEqual(Array(TARGET).fill('shop v2')));
    // Who had one keeps it.
    expect(await read(url)).toBe('shop v1');
    await fetch(`${server.api}/api/v1/demo/${id}`, { method: 'DELETE' });
    expect(await canaries()).toEqual([]);
  });

  it.each([
    ['end at once', ENDS_AT_ONCE, /exit code/],
    ['answer 500', ANSWERS_500, /500/],
    ['lack the text of a smoke step', LACKS_THE_TEXT, /smoke step/],
  ])('that %s reach nobody', async (_, release, reason) => {
    const serves = (await image())['serves'];
    {
      await using visits = visiting();
      await push(release);
      await check();
      const now = await settled();
      expect(now).toMatchObject({ state: 'refused', serves, refused: { why: 'failed' } });
      expect((now['refused'] as Json)['reason']).toMatch(reason);
      await eventually(() => expect([...visits.seen]).toEqual(['shop v2']));
    }
    expect(await canaries()).toEqual([]);
    const metrics = await (await fetch(`${server.api}/metrics`)).text();
    expect(metrics).toContain(`try_it_now_image_refused{image="${remote}"} 1`);
  });

  it('are left by an operator for the one before, and taken again', async () => {
    await operator('POST', '/images/shop/rollback');
    await eventually(async () => expect(await readySays()).toEqual(Array(TARGET).fill('shop v1')));
    await operator('POST', '/images/shop/rollback');
    await eventually(async () => expect(await readySays()).toEqual(Array(TARGET).fill('shop v2')));
  });

  it('that are being tried when the server is killed reach nobody, and leave nothing', async () => {
    const serves = (await image())['serves'];
    await push(NEVER_READY);
    await check();
    const killed = await eventually(async () => {
      const found = await canaries();
      expect(found).not.toEqual([]);
      return found;
    });
    await server.kill();
    await server.start();
    await eventually(async () => expect(await canaries()).not.toEqual(killed));
    await eventually(async () => expect(await image()).toMatchObject({ state: 'refused', serves }));
    expect(await canaries()).toEqual([]);
    await eventually(async () => expect(await readySays()).toEqual(Array(TARGET).fill('shop v2')));
  });

  const checkpoints = async (): Promise<{ readonly all: readonly string[]; readonly current: unknown }> => {
    const { checkpoints: all, promotions } = (await operator('GET', '/checkpoints')) as unknown as {
      readonly checkpoints: readonly { readonly id: string }[];
      readonly promotions: readonly { readonly current: unknown }[];
    };
    return { all: all.map(({ id }) => id).sort(), current: promotions[0]?.current };
  };
  /** Once all that is ready was restored from it. */
  const servedFrom = (checkpoint: unknown, says: string): Promise<void> =>
    eventually(async () => {
      expect((await checkpoints()).current).toBe(checkpoint);
      const records = (await valkey.hvals('instances')).map((text) => JSON.parse(text) as Record<string, string>);
      const ready = records.filter(({ state }) => state === 'ready');
      expect(ready.map(({ templateVersion }) => templateVersion)).toEqual(
        Array(TARGET).fill(expect.stringContaining(`+${String(checkpoint)}`)),
      );
      expect(await readySays()).toEqual(Array(TARGET).fill(says));
    }, PATIENT);

  it('have a checkpoint made and restored before anybody gets them, or the one before stays', async () => {
    await using made = new Program(['checkpoint', 'create', 'shop', '--promote'], server.env);
    expect([await made.exitCode, made.output]).toEqual([0, expect.stringContaining('promoted')]);
    const { current: first } = await checkpoints();
    byHand = first;
    await servedFrom(first, 'shop v2');
    await push({ says: 'shop v3' });
    await check();
    expect(await settled()).toMatchObject({ state: 'current' });
    const { current: second } = await checkpoints();
    expect(second).not.toBe(first);
    await servedFrom(second, 'shop v3');
    // Its clones cannot be told from each other.
    await push({ says: 'shop v4', identity: SAME_FOR_ALL });
    await check();
    const refused = await settled();
    expect(refused).toMatchObject({ state: 'refused' });
    expect((refused['refused'] as Json)['reason']).toMatch(/No sound checkpoint can be made of it/);
    await servedFrom(second, 'shop v3');
    expect((await checkpoints()).all).toEqual([first, second].sort());
  });

  it.each(['dumping memory', 'restoring and activating'])(
    'leave nothing of a checkpoint when the server is killed at %s',
    async (step) => {
      const { current: before } = await checkpoints();
      const says = `shop, killed at ${step}`;
      await push({ says });
      await check();
      await eventually(async () => {
        const trying = (await image())['trying'] as Json | null;
        expect(String(trying?.['step'])).toContain(step);
      }, PATIENT);
      await server.kill();
      await server.start();
      await eventually(async () => expect(await readySays()).toEqual(Array(TARGET).fill(says)), PATIENT);
      const { current } = await checkpoints();
      await servedFrom(current, says);
      expect(current).not.toBe(before);
      // The one that an operator made stays.
      await eventually(
        async () => expect((await checkpoints()).all).toEqual([byHand, before, current].sort()),
        PATIENT,
      );
      expect(await canaries()).toEqual([]);
      const drafts = await readdir(join(server.env['CHECKPOINT_DIR'] ?? '', '.drafts'));
      expect(drafts).toEqual([]);
    },
  );

  it('are removed from the host but for the present one and the one before', async () => {
    const kept = await image();
    const ids = [kept['serves'], kept['former']].map((each) => String((each as Json)['id']).replace(/^sha256:/, ''));
    await eventually(async () => {
      const there = new Set((await docker.listImages({ all: true })).map(({ Id }) => Id.replace(/^sha256:/, '')));
      expect(pushed.map((id) => id.replace(/^sha256:/, '')).filter((id) => there.has(id))).toEqual(ids.reverse());
    }, PATIENT);
  });

  it('cannot be had once the registry is gone in the midst: everything stays as it is', async () => {
    const serves = (await image())['serves'];
    const says = await readySays();
    registry.signal('SIGSTOP');
    await check();
    await eventually(async () => expect(await image()).toMatchObject({ state: 'trying', trying: { id: null } }));
    registry.signal('SIGKILL');
    const now = await eventually(async () => {
      const found = await image();
      expect(found['problem']).not.toBeNull();
      return found;
    });
    expect(now).toMatchObject({ serves });
    expect(await readySays()).toEqual(says);
  });
});
