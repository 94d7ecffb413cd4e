import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis as Valkey } from 'iovalkey';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointContext, type CheckpointContext } from '../../src/composition/checkpoint-context.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { DEFAULT_PROCESS } from '../../src/domain/process-settings.ts';
import { templateVersion, type SeccompFilter, type Template } from '../../src/domain/template.ts';
import { createCheckpoint, createPromoted, promoteCheckpoint } from '../../src/pool/checkpoints.ts';
import { verifyCheckpoint } from '../../src/pool/verify-checkpoint.ts';
import { ownFilter } from '../../src/runtime/isolation/seccomp.ts';
import { launchEngine, titleFor, whyWithout, type LaunchedEngine } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';
import { copyWithLibraries } from '../support/node-image.ts';
import { DashboardLogin } from '../support/dashboard-login.ts';
import { OPERATOR_KEY, operatorOf } from '../support/operator.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

const PATIENT = { timeoutMs: 120_000 };
const quiet = (): void => undefined;
const run = promisify(execFile);
const never = new AbortController().signal;

/** Sessions from a generator whose state is in the dump, so that each clone goes on from where it stood. */
const SESSIONS = `#!/bin/sh
n=$(/bin/busybox cat /www/drawn || echo 0)
echo $((n + 1)) >/www/drawn
sid=$(echo "drawn $n" | /bin/busybox sha256sum | /bin/busybox cut -c1-32)
printf 'Set-Cookie: lang=en\\r\\nSet-Cookie: sid=%s; HttpOnly\\r\\n\\r\\n' "$sid"
`;

/** Of the filter that an instance has, not of the one that a command in it would have. */
const FIFO = `#!/bin/sh
/bin/busybox mkfifo /www/fifo-$$ && made=made
printf 'Content-Type: text/plain\\r\\n\\r\\n%s' "\${made:-refused}"
`;

interface Bench extends AsyncDisposable {
  readonly stack: Stack;
  readonly context: CheckpointContext;
  readonly folder: string;
}

describe.skipIf(whyWithout('podman') !== undefined)(`checkpoints on ${titleFor('podman')}`, () => {
  let podman: LaunchedEngine;
  let image: TinyImage;
  beforeAll(async () => {
    podman = await launchEngine('podman');
    image = await loadTinyImage(podman.socketPath, undefined, undefined, undefined, async (root) => {
      await writeFile(join(root, 'www/cgi-bin/session'), SESSIONS, { mode: 0o755 });
      await writeFile(join(root, 'www/cgi-bin/fifo'), FIFO, { mode: 0o755 });
      await copyWithLibraries('/usr/bin/perl', root);
    });
  });
  afterAll(async () => {
    await image[Symbol.asyncDispose]();
    await podman[Symbol.asyncDispose]();
  });

  /** An app that writes down who it was told to be, and says so when asked. */
  const selfAware = (overrides: Partial<Template> = {}): Template =>
    template({
      image: image.name,
      port: image.port,
      activation: {
        kind: 'exec',
        command: ['/bin/sh', '-c', 'echo "$TRY_IT_NOW_INSTANCE_ID $TRY_IT_NOW_URL $TRY_IT_NOW_SEED" > /www/whoami'],
        timeoutMs: 30_000,
      },
      identity: { kind: 'http', path: '/whoami' },
      pool: { target: 2, max: 6, replenishThreshold: 0 },
      ...overrides,
    });

  async function start(templates: readonly Template[]): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'try-it-now-checkpoints-'));
    const stack = await startStack({
      engine: 'podman',
      socketPath: podman.socketPath,
      templates,
      env: { CHECKPOINT_DIR: folder, CRIU_ENABLED: 'auto', OPERATOR_KEYS: OPERATOR_KEY },
      reconcileIntervalMs: 1_000,
    });
    const context = await openCheckpointContext(stack.config, silent);
    return {
      stack,
      context,
      folder,
      [Symbol.asyncDispose]: async () => {
        await context.close();
        await stack[Symbol.asyncDispose]();
        await rm(folder, { recursive: true });
      },
    };
  }

  /** What the commands do, by an operator with a browser. */
  async function byDashboard(stack: Stack, id: string): Promise<void> {
    const login = await DashboardLogin.withKey(`http://127.0.0.1:${stack.config.admin.port}`, OPERATOR_KEY);
    const newest = async (): Promise<unknown> => (await operatorOf(stack).list('/audit?limit=1', 'entries'))[0];
    expect(await login.page('/checkpoints')).toContain(id);
    expect((await login.act('checkpoint.promote', { on: id })).status).toBe(303);
    await eventually(
      async () => expect(await newest()).toMatchObject({ action: 'checkpoint.promote', on: id, outcome: 'done' }),
      PATIENT,
    );
    expect(await login.page('/checkpoints')).toMatch(/It is promoted, and the pool of tiny is replaced gradually/);
    expect(await (await login.act('checkpoint.rollback', { on: 'tiny', sure: '' })).text()).toContain(
      'Have tiny start cold, and its idle instances replaced?',
    );
    expect((await login.act('checkpoint.rollback', { on: 'tiny' })).headers.get('location')).toContain('starts+cold');
    const pruned = await login.act('checkpoint.prune', { keep: '0' });
    expect(pruned.headers.get('location')).toContain(`Deleted%3A+${id}`);
    expect(await login.page('/checkpoints')).toContain('There is no checkpoint on this host');
  }

  async function metric({ api }: Stack, series: string): Promise<number> {
    const text = await (await fetch(`${api}/metrics`)).text();
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.slice(series.length + 1) ?? 0,
    );
  }
  const provisions = (stack: Stack, method: string, status: string): Promise<number> =>
    metric(stack, `try_it_now_provisions_total{template="tiny",method="${method}",status="${status}"}`);
  const acquire = async ({ api }: Stack): Promise<{ readonly id: string; readonly url: string }> =>
    (await (await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' })).json()) as { id: string; url: string };
  /** Undefined while the pool is empty. */
  const takeOne = async ({ api }: Stack): Promise<string | undefined> =>
    ((await (await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' })).json()) as { id?: string }).id;
  const page = async ({ proxy }: Stack, url: string, path: string): Promise<string> => {
    const { body } = await request(`${proxy}${path}`, { headers: { host: new URL(url).host } });
    return (await body.text()).trim();
  };
  const whoami = (stack: Stack, url: string): Promise<string> => page(stack, url, '/whoami');
  const ready = async ({ api }: Stack): Promise<number> =>
    ((await (await fetch(`${api}/api/v1/pool/stats`)).json()) as { ready: number }).ready;
  /** The versions of what is takeable right now, without the image each was started from. */
  const versions = async ({ stack }: Bench): Promise<string[]> =>
    (await records(stack))
      .filter(({ state }) => state === 'ready')
      .map(({ templateVersion }) => templateVersion.replace(/@.*$/, ''));

  it('are made, verified, promoted, served from, and gone back from, without a restart', async () => {
    const app = selfAware();
    await using bench = await start([app]);
    const { stack, context } = bench;
    await eventually(async () => expect(await ready(stack)).toBe(2), PATIENT);
    expect(await provisions(stack, 'criu_restore', 'success')).toBe(0);
    const cold = await versions(bench);

    const steps: string[] = [];
    const { id } = await createCheckpoint(context, app.name, (step) => steps.push(step), never);
    expect(steps.at(-1)).toBe('storing the archive');
    const { changed, identities } = await promoteCheckpoint(context, id, quiet, never);
    expect(changed).toBe(true);
    expect(new Set(identities).size).toBe(2);

    // The pool is replaced, a part at a time, by restored instances.
    await eventually(async () => {
      expect(await versions(bench)).toEqual([`${cold[0] ?? ''}+${id}`, `${cold[0] ?? ''}+${id}`]);
    }, PATIENT);
    expect(await provisions(stack, 'criu_restore', 'success')).toBeGreaterThanOrEqual(2);
    expect(await provisions(stack, 'criu_restore', 'failure')).toBe(0);
    const [first, second] = [await acquire(stack), await acquire(stack)];
    const [one, other] = [await whoami(stack, first.url), await whoami(stack, second.url)];
    expect(one.split(' ').slice(0, 2)).toEqual([first.id, first.url]);
    expect(other.split(' ').slice(0, 2)).toEqual([second.id, second.url]);
    expect(one.split(' ')[2]).toMatch(/^[0-9a-f]{64}$/);
    expect(one.split(' ')[2]).not.toBe(other.split(' ')[2]);

    expect(await context.promotions.rollback(app.name)).toEqual({ from: id, to: undefined });
    await eventually(async () => {
      expect(await versions(bench)).toEqual(cold);
    }, PATIENT);
    await byDashboard(stack, id);
    // Nothing that only was tried is left.
    expect((await stack.app.runtime.list()).filter(({ keepUntilMs }) => keepUntilMs !== undefined)).toEqual([]);
  });

  it(
    'that do not restore cost a cold start in the same task, are taken out after ' +
      'some, and the one before comes back',
    async () => {
      const app = selfAware({ pool: { target: 1, max: 4, replenishThreshold: 0 } });
      await using bench = await start([app]);
      const { context, stack, folder } = bench;
      const good = await createCheckpoint(context, app.name, quiet, never);
      await promoteCheckpoint(context, good.id, quiet, never);
      await eventually(
        async () => expect((await versions(bench)).map((version) => version.split('+')[1])).toEqual([good.id]),
        PATIENT,
      );
      // As from another host that wrote what this one cannot restore: whole, but its process cannot be read.
      const broken = await withoutProcess(join(folder, app.name, `${good.id}.tar`), folder);
      const bad = await context.checkpointRepository.add(broken, {
        template: app.name,
        templateVersion: good.templateVersion,
        host: good.host,
        fileLocks: false,
        createdAt: good.createdAt,
      });
      await context.promotions.promote(app.name, bad.id);

      await eventually(
        async () => {
          // Each visitor makes room for one more attempt.
          const id = await takeOne(stack);
          if (id !== undefined) await fetch(`${stack.api}/api/v1/demo/${id}`, { method: 'DELETE' });
          expect(await context.promotions.status(app.name)).toMatchObject({ current: good.id, withdrawn: bad.id });
        },
        { ...PATIENT, everyMs: 200 },
      );
      expect(await provisions(stack, 'criu_restore', 'failure')).toBe(3);
      expect(await provisions(stack, 'cold_start', 'success')).toBeGreaterThanOrEqual(1);
      // No attempt was lost to it: what could not be restored was started.
      expect(await provisions(stack, 'cold_start', 'failure')).toBe(0);
      await eventually(
        async () => expect((await versions(bench)).map((version) => version.split('+')[1])).toEqual([good.id]),
        PATIENT,
      );
    },
  );

  // A restore that is slow is given up, so not many at once.
  it.concurrent('are not promoted when their clones answer alike, cannot be asked or fail their check', async () => {
    const alike = selfAware({ name: 'alike', activation: undefined, identity: { kind: 'http', path: '/' } });
    const silentOne = selfAware({ name: 'silent', identity: undefined });
    const checked = (name: string, script: string): Template =>
      selfAware({
        name,
        identity: 'none',
        checkpoint: { ...alike.checkpoint, check: { kind: 'exec', command: ['/bin/sh', '-c', script] } },
      });
    const unwritable = checked('unwritable', 'echo disk on fire; exit 3');
    const same = checked('same', 'echo > /www/written');
    // No pool: all that is restored of these is what is tried.
    const pool = { target: 0, max: 2, replenishThreshold: 0 };
    const named = selfAware({
      name: 'named',
      pool,
      activation: {
        kind: 'exec',
        command: ['/bin/sh', '-c', '/bin/busybox hostname > /www/whoami'],
        timeoutMs: 30_000,
      },
    });
    const guessable = selfAware({ name: 'guessable', pool, open: '/cgi-bin/session' });
    const withPerl = '/usr/bin/perl -e "sleep 9999" & exec /bin/busybox httpd -f -p 80 -h /www';
    const seeded = selfAware({
      name: 'seeded',
      pool,
      activation: undefined,
      process: { ...DEFAULT_PROCESS, command: ['/bin/sh', '-c', withPerl] },
    });
    const confirmed = {
      ...seeded,
      name: 'confirmed',
      checkpoint: { ...seeded.checkpoint, random: 'confirmed' },
    } as const;
    await using bench = await start([alike, silentOne, unwritable, same, named, guessable, seeded, confirmed]);
    const { context } = bench;
    const steps: string[] = [];
    const refusals = [
      ['alike', /same answer to the identity probe/],
      ['silent', /no identity probe/],
      ['unwritable', /failed checkpoint\.check of template unwritable \(exec .*exit code 3; it said: disk on fire/],
      ['named', /identity probe of template named proves nothing: .* only by the name of the container, which/],
      ['guessable', /hand their visitors the same random values.*: cookie sid at \/cgi-bin\/session\. /],
      [
        'seeded',
        /Perl \(perl\): rand\. Clones draw the same .* checkpoint: \{random: confirmed\}$/,
        'checkpoint_refused',
      ],
    ] as const;
    for (const [name, message, code = 'checkpoint_not_verified'] of refusals) {
      await expect(
        createPromoted(context, name, (step) => steps.push(`${name}: ${step}`), never),
      ).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message) as string,
      });
      expect((await context.promotions.status(name)).current).toBeUndefined();
    }
    // The one that nobody could tell the clones of apart was not even started, and what failed is not kept.
    expect(steps.filter((step) => step.startsWith('silent'))).toEqual([]);
    expect(await context.checkpointRepository.list()).toEqual([]);
    await createCheckpoint(context, 'confirmed', quiet, never);
    const { id } = await createCheckpoint(context, 'same', quiet, never);
    expect((await verifyCheckpoint(context, id, quiet, never)).identities).toEqual([]);
  });

  it.concurrent(
    'of another template version, or with a changed archive, are refused before they are used',
    async () => {
      const app = selfAware();
      await using bench = await start([app]);
      const { context, stack, folder } = bench;
      const { id } = await createCheckpoint(context, app.name, quiet, never);
      await using foreign = await contextFor(stack, { ...app, env: { MODE: 'other' } });
      await expect(verifyCheckpoint(foreign, id, quiet, never)).rejects.toMatchObject({ code: 'checkpoint_unfit' });
      await truncate(join(folder, app.name, `${id}.tar`), 4096);
      await using fresh = await contextFor(stack, app);
      await expect(verifyCheckpoint(fresh, id, quiet, never)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    },
  );

  it.concurrent('are made again by the node itself where a newer program has another filter', async () => {
    const pool = { target: 1, max: 4, replenishThreshold: 0 };
    const older = selfAware({ pool: { ...pool, target: 0 } });
    const newer = selfAware({ pool, seccomp: withoutFifos() });
    await using bench = await start([older]);
    const { context, stack } = bench;
    const { id: promoted } = await createCheckpoint(context, older.name, quiet, never);
    await context.promotions.promote(older.name, promoted);
    await stack.restart(undefined, [newer]);
    const visit = async (): Promise<string> => {
      const { id, url } = await acquire(stack);
      const answer = await page(stack, url, '/cgi-bin/fifo');
      await fetch(`${stack.api}/api/v1/demo/${id}`, { method: 'DELETE' });
      return answer;
    };
    await eventually(async () => {
      if ((await ready(stack)) > 0) expect(await visit()).toBe('refused');
      expect(await provisions(stack, 'criu_restore', 'success')).toBeGreaterThan(0);
    }, PATIENT);
    await eventually(async () => expect(await ready(stack)).toBe(1), PATIENT);
    expect(await versions(bench)).toEqual([`${templateVersion(newer)}+${promoted}`]);
    expect(await visit()).toBe('refused');
    const standsFor = (await context.checkpointRepository.list()).map(({ metadata }) => metadata?.standsFor);
    expect(standsFor).toEqual([promoted, undefined]);
  });

  it.concurrent('named by the configuration are promoted at the start, once', async () => {
    const app = selfAware();
    await using bench = await start([app]);
    const { context, stack } = bench;
    const { id } = await createCheckpoint(context, app.name, quiet, never);
    const configured = { ...app, checkpoint: { ...app.checkpoint, file: join(bench.folder, app.name, `${id}.tar`) } };
    await stack.restart(undefined, [configured]);
    expect((await context.promotions.status(app.name)).current).toBe(id);
    await context.promotions.rollback(app.name);
    await stack.restart(undefined, [configured]);
    expect((await context.promotions.status(app.name)).current).toBeUndefined();
  });
});

describe.skipIf(whyWithout('podman') !== undefined)(`an activation hook on ${titleFor('podman')}`, () => {
  it('that fails keeps every instance out of the pool, and does not spin', async () => {
    await using podman = await launchEngine('podman');
    await using image = await loadTinyImage(podman.socketPath);
    const broken = template({
      image: image.name,
      port: image.port,
      pool: { target: 1, max: 4, replenishThreshold: 0 },
      activation: { kind: 'exec', command: ['/bin/sh', '-c', 'echo no such luck; exit 3'], timeoutMs: 30_000 },
    });
    await using stack = await startStack({ engine: 'podman', socketPath: podman.socketPath, templates: [broken] });
    const failures = async (): Promise<number> => {
      const text = await (await fetch(`${stack.api}/metrics`)).text();
      return Number(
        /^try_it_now_provision_failures_total\{[^}]*code="activation_failed"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0,
      );
    };
    await eventually(async () => expect(await failures()).toBeGreaterThanOrEqual(2), PATIENT);
    expect(((await (await fetch(`${stack.api}/api/v1/pool/stats`)).json()) as { ready: number }).ready).toBe(0);
    expect((await fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' })).status).toBe(503);
    // One task, tried again with growing pauses: never more than the one instance that is being tried.
    expect((await stack.app.runtime.list()).length).toBeLessThanOrEqual(1);
  });
});

/** Of a program that lets instances make fewer calls. */
function withoutFifos(): SeccompFilter {
  const filter = ownFilter('default');
  return { ...filter, profile: filter.profile.replace('"mknod","mknodat",', '') };
}

async function withoutProcess(archive: string, folder: string): Promise<string> {
  const [unpacked, broken] = [join(folder, 'unpacked'), join(folder, 'broken.tar')];
  await mkdir(unpacked);
  await run('tar', ['-xf', archive, '-C', unpacked]);
  await writeFile(join(unpacked, 'checkpoint/core-1.img'), 'not an image');
  await run('tar', ['-cf', broken, '-C', unpacked, '.']);
  return broken;
}

/** As they are stored. */
async function records({ config }: Stack): Promise<Instance[]> {
  const valkey = new Valkey(config.valkey.port, config.valkey.host);
  try {
    return (await valkey.hvals('instances')).map((text) => JSON.parse(text) as Instance);
  } finally {
    valkey.disconnect();
  }
}

async function contextFor(stack: Stack, app: Template): Promise<CheckpointContext & AsyncDisposable> {
  const context = await openCheckpointContext({ ...stack.config, templates: [app] }, silent);
  return { ...context, [Symbol.asyncDispose]: () => context.close() };
}
