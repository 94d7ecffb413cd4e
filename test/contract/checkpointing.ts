import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { extract } from 'tar';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { containerName, newInstanceId } from '../../src/domain/ids.ts';
import { DATABASE_MOUNT, DEFAULT_DUMP, type Template } from '../../src/domain/template.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import type { Checkpointing, OpenCheckpoint } from '../../src/pool/interfaces/checkpointing.ts';
import type { ContainerRuntime, ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { libpodHas } from '../../src/runtime/podman/libpod-api.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec, untilReady } from './container-runtime.ts';
import { eventually } from '../support/eventually.ts';
import { template } from '../support/templates.ts';

export interface CheckpointingUnderTest extends Omit<EngineUnderTest, 'lookups'> {
  readonly checkpointing: (databaseFolder?: string) => Checkpointing;
}

const run = promisify(execFile);
const never = new AbortController().signal;
const BUSYBOX = '/bin/busybox';

/** What every engine that can checkpoint promises. */
export function checkpointingContract(underTest: () => CheckpointingUnderTest): void {
  let folder: string;
  let databaseFolder: string;
  let runtime: ContainerRuntime;
  let checkpointing: Checkpointing;
  let tiny: Template;
  let from: OpenCheckpoint;

  /** From a source that wrote, deleted and changed files, on disk and in both kinds of memory file systems. */
  const checkpoint = async (of: Template, name: string, fileLocks = false): Promise<OpenCheckpoint> => {
    const source = await newSpec(of, {
      instanceId: undefined,
      keepUntilMs: Date.now() + 600_000,
      env: { BOTH: 'source' },
    });
    await runtime.start(source, never);
    await untilReady(source);
    await inside(
      source,
      'echo changed > /www/state; echo memory > /tmp/state; echo shared > /dev/shm/state; rm /www/cgi-bin/env',
    );
    await checkpointing.untilIdle(source.name, 120_000, never);
    const archive = join(folder, `${name}.tar`);
    await checkpointing.dump(source.name, archive, { ...DEFAULT_DUMP, fileLocks });
    expect((await stat(archive)).mode & 0o777).toBe(0o600);
    expect(await runtime.list()).toEqual([expect.objectContaining({ name: source.name, running: false })]);
    await runtime.remove(source.name);
    const unpacked = join(folder, name);
    await mkdir(unpacked);
    await extract({ file: archive, cwd: unpacked, preserveOwner: true });
    return { id: '0123456789abcdef', folder: unpacked, fileLocks };
  };

  const inside = async ({ name }: ContainerSpec, script: string): Promise<string> => {
    const { exitCode, output } = await runtime.exec(
      name,
      { command: ['/bin/sh', '-c', script], env: {}, timeoutMs: 20_000 },
      never,
    );
    expect(`${exitCode} ${output}`).toMatch(/^0 /);
    return output.trim();
  };

  const restored = async (spec: ContainerSpec): Promise<ContainerSpec> => {
    await checkpointing.restore(spec, from, never);
    await untilReady(spec);
    return spec;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tin-checkpoints-'));
    databaseFolder = await mkdtemp(join(tmpdir(), 'tin-socket-'));
    await writeFile(join(databaseFolder, 'db.sock'), '');
    runtime = underTest().runtime(undefined, undefined, undefined, databaseFolder);
    checkpointing = underTest().checkpointing(databaseFolder);
    tiny = template({
      image: underTest().image.name,
      port: 80,
      env: { FROM: 'template', BOTH: 'template' },
      limits: { memoryBytes: 48 * 1024 * 1024, cpus: 0.5, pids: 17 },
      database: { engine: 'mariadb' as const, seedFile: '/seed.sql', seedDigest: 'x' },
    });
    await runtime.prepare([tiny]);
    from = await checkpoint(tiny, 'whole');
  });
  afterEach(async () => {
    for (const { name } of await runtime.list()) await runtime.remove(name);
    // Nothing of a restore stays in the checkpoint's folder.
    expect(await clonesOf(from)).toEqual([]);
  });
  afterAll(async () => {
    expect(await runtime.unprepare()).toBe(true);
    await rm(folder, { recursive: true });
    await rm(databaseFolder, { recursive: true });
  });

  it('is available, by a trial that is made once and leaves nothing behind', async () => {
    const first = checkpointing.availability();
    expect(checkpointing.availability()).toBe(first);
    expect(await first).toEqual({ available: true });
    expect(await runtime.list()).toEqual([]);
  });

  it('knows what a checkpoint made here would fit to', async () => {
    expect(await checkpointing.host(tiny)).toEqual({
      imageId: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      kernel: (await readFile('/proc/sys/kernel/osrelease', 'utf8')).trim(),
      arch: expect.stringMatching(/^(amd64|arm64)$/) as string,
      engine: underTest().engine,
      engineVersion: expect.stringMatching(/^\d+\.\d+/) as string,
      criu: expect.stringMatching(/^\d+\.\d+/) as string,
    });
    await expect(
      checkpointing.host(template({ name: 'shop', image: 'localhost/no-such-image:1' })),
    ).rejects.toMatchObject({
      code: 'image_missing',
      message: expect.stringContaining('localhost/no-such-image:1 (template shop)') as string,
    });
  });

  it('restores two at once that are what the source was, and then each their own', async () => {
    const clones = await Promise.all([newSpec(tiny, { env: { BOTH: 'clone' } }), newSpec(tiny)]);
    await Promise.all(clones.map(restored));
    expect(await runtime.list()).toEqual(
      expect.arrayContaining(clones.map(({ name, instanceId }) => ({ name, instanceId, running: true }))),
    );
    for (const clone of clones) {
      expect(await inside(clone, 'cat /www/state /tmp/state /dev/shm/state'.replace('cat', `${BUSYBOX} cat`))).toBe(
        'changed\nmemory\nshared',
      );
      expect(await inside(clone, `${BUSYBOX} ls /www/cgi-bin ${DATABASE_MOUNT}`)).not.toContain('env');
      expect(await inside(clone, `${BUSYBOX} ls ${DATABASE_MOUNT}`)).toBe('db.sock');
      expect(await inside(clone, `${BUSYBOX} touch ${DATABASE_MOUNT}/x 2>&1 || ${BUSYBOX} true`)).toContain(
        'Read-only file system',
      );
      expect(await inside(clone, `${BUSYBOX} hostname; ${BUSYBOX} cat /etc/hostname; echo; echo $HOSTNAME`)).toMatch(
        new RegExp(`^${clone.name}\\s+${clone.name}\\s+${clone.name}$`),
      );
      expect(await inside(clone, `${BUSYBOX} cat /etc/hosts`)).toContain(clone.name);
    }
    const [one, two] = clones;
    expect(await inside(one, 'echo $FROM $BOTH')).toBe('template clone');
    await inside(one, 'for place in www tmp dev/shm; do echo one > /$place/state; done');
    expect(await inside(two, `${BUSYBOX} cat /www/state /tmp/state /dev/shm/state`)).toBe('changed\nmemory\nshared');
    await runtime.remove(one.name);
    await untilReady(two);
    const third = await restored(await newSpec(tiny));
    expect(await inside(third, `${BUSYBOX} cat /www/state /tmp/state /dev/shm/state`)).toBe('changed\nmemory\nshared');
  });

  it('replaces anything that has the name already, on the same port or another', async () => {
    const spec = await newSpec(tiny);
    await runtime.start(spec, never);
    await restored(spec);
    const elsewhere = await restored({ ...spec, hostPort: await freePort() });
    expect(await runtime.list()).toHaveLength(1);
    expect(await inside(elsewhere, `${BUSYBOX} cat /www/state`)).toBe('changed');
  });

  it('starts what is only tried with the time it is kept until', async () => {
    const spec = await restored(await newSpec(tiny, { instanceId: undefined, keepUntilMs: 1_800_000_000_123 }));
    expect(await runtime.list()).toEqual([
      { name: spec.name, instanceId: undefined, keepUntilMs: 1_800_000_000_123, running: true },
    ]);
  });

  it('fails plainly on a port in use, and leaves nothing behind', async () => {
    const first = await restored(await newSpec(tiny));
    const second = await newSpec(tiny, { hostPort: first.hostPort });
    await expect(checkpointing.restore(second, from, never)).rejects.toMatchObject({
      // Which says nothing against the checkpoint.
      code: 'host_failed',
      message: expect.stringContaining('address already in use') as string,
    });
    expect((await runtime.list()).map(({ name }) => name)).toEqual([first.name]);
    await untilReady(first);
  });

  it('stops at the signal, before, meanwhile and after, and leaves nothing behind', async () => {
    const spec = await newSpec(tiny);
    await expect(
      checkpointing.restore(spec, from, AbortSignal.abort(new Error('the task was taken away'))),
    ).rejects.toThrow('the task was taken away');
    const abort = new AbortController();
    const restoring = checkpointing.restore(spec, from, abort.signal);
    abort.abort(new Error('the task was taken away'));
    await expect(restoring).rejects.toThrow('the task was taken away');
    await eventually(async () => {
      const late = new AbortController();
      const how = checkpointing.restore(spec, from, late.signal).then(
        () => undefined,
        (error: unknown) => error,
      );
      // Asked for a list, the engine would answer when the restore is over only.
      await eventually(
        async () => expect(await libpodHas(underTest().socketPath, `/containers/${spec.name}`)).toBe(true),
        { everyMs: 1 },
      );
      late.abort(new Error('the task was taken away'));
      const ended = await how;
      // The signal came too late for this one, which was done.
      if (ended === undefined) await runtime.remove(spec.name);
      expect(ended).toMatchObject({ message: 'the task was taken away' });
    });
    expect(await runtime.list()).toEqual([]);
  });

  describe('with files that are not whole', () => {
    let broken: OpenCheckpoint;
    beforeAll(() => {
      broken = { ...from, folder: join(folder, 'broken') };
    });
    /** A copy by second names, in which one file is made new and short. */
    const breaking = async (file: string, length: number | undefined): Promise<void> => {
      await rm(broken.folder, { recursive: true, force: true });
      for (const path of await readdir(from.folder, { recursive: true, withFileTypes: true })) {
        if (!path.isFile()) continue;
        const target = join(broken.folder, path.parentPath.slice(from.folder.length));
        await mkdir(target, { recursive: true });
        await link(join(path.parentPath, path.name), join(target, path.name));
      }
      const victim = join(broken.folder, file);
      const content = await readFile(victim);
      await unlink(victim);
      if (length === undefined) return;
      await writeFile(victim, content);
      await truncate(victim, length);
    };
    const failing = async (): Promise<{ message: string }> => {
      const spec = await newSpec(tiny);
      const failure: unknown = await checkpointing.restore(spec, broken, never).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ code: 'restore_failed', message: expect.stringContaining(broken.id) as string });
      expect(await runtime.list()).toEqual([]);
      await expect(freeAgain(spec.hostPort)).resolves.toBe(true);
      return failure as { message: string };
    };

    it('refuses short memory pages, which CRIU would read for ever, and leaves nothing behind', async () => {
      await breaking('checkpoint/pages-1.img', 4096);
      expect((await failing()).message).toMatch(/pages-1\.img holds 4096 bytes of memory instead of \d{5,}/);
    });

    it('says what CRIU says of a short image, and what to do', async () => {
      await breaking('checkpoint/core-1.img', 20);
      expect((await failing()).message).toMatch(
        /CRIU says: .*Error \(criu\/\S+: Read .* from .*core-1\.img.*files are damaged or incomplete: create it again/,
      );
    });

    it.each([
      ['checkpoint/inventory.img', undefined],
      ['checkpoint/pagemap-1.img', 30],
      ['checkpoint/utsns', undefined],
      ['spec.dump', 100],
      ['config.dump', undefined],
    ])('fails in words when %s is cut to %s', async (file, length) => {
      const [found = file] = (await readdir(join(from.folder, 'checkpoint')))
        .filter((name) => file.endsWith('utsns') && name.startsWith('utsns'))
        .map((name) => `checkpoint/${name}`);
      await breaking(found, length);
      await failing();
    });
  });

  it('waits until no connection is open, and says which one is; a dump before that says so as well', async () => {
    const spec = await newSpec(tiny);
    await runtime.start(spec, never);
    await untilReady(spec);
    await checkpointing.untilIdle(spec.name, 120_000, never);
    // Somebody who connects and asks nothing: the app waits for the request.
    const visitor = connect(spec.hostPort, '127.0.0.1');
    try {
      await once(visitor, 'connect');
      await expect(checkpointing.untilIdle(spec.name, 120, never)).rejects.toMatchObject({
        code: 'checkpoint_failed',
        message: expect.stringMatching(
          /still has 1 TCP connection\(s\) open after 120 ms.*from port 80 to port \d+, established/,
        ) as string,
      });
      const abort = new AbortController();
      const waiting = checkpointing.untilIdle(spec.name, 60_000, abort.signal);
      abort.abort(new Error('taken away'));
      await expect(waiting).rejects.toThrow('taken away');
      await expect(checkpointing.dump(spec.name, join(folder, 'busy.tar'), DEFAULT_DUMP)).rejects.toMatchObject({
        code: 'checkpoint_failed',
        message: expect.stringMatching(
          /CRIU says: .*Connected TCP socket.*end the requests that are still running/,
        ) as string,
      });
      // A failed dump leaves the app as it was, and no file.
      await untilReady(spec);
      expect(await readdir(folder)).not.toContain('busy.tar');
    } finally {
      visitor.destroy();
    }
    await checkpointing.untilIdle(spec.name, 120_000, never);
    await checkpointing.dump(spec.name, join(folder, 'idle.tar'), { ...DEFAULT_DUMP, fileLocks: true });
    await expect(checkpointing.untilIdle(spec.name, 20_000, never)).rejects.toMatchObject({
      code: 'checkpoint_failed',
      message: expect.stringContaining('does not run') as string,
    });
  });

  it('says so when the disk of its archive is full, which is no fault of the app', async (context) => {
    const small = join(folder, 'small');
    await mkdir(small);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', small]).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    context.skip(mounted !== undefined, `a small file system cannot be mounted here: ${mounted ?? ''}`);
    try {
      const spec = await newSpec(tiny);
      await runtime.start(spec, never);
      await untilReady(spec);
      await checkpointing.untilIdle(spec.name, 120_000, never);
      await expect(checkpointing.dump(spec.name, join(small, 'cut.tar'), DEFAULT_DUMP)).rejects.toMatchObject({
        code: 'host_failed',
        message: expect.stringContaining('no space is left on its disk') as string,
      });
    } finally {
      await run('umount', [small]);
    }
  });

  it('says which container is not there', async () => {
    const missing = containerName(newInstanceId(), 'test');
    const failure = { code: 'checkpoint_failed', message: expect.stringContaining(missing) as string };
    await expect(checkpointing.untilIdle(missing, 1_000, never)).rejects.toMatchObject(failure);
    await expect(checkpointing.dump(missing, join(folder, 'none.tar'), DEFAULT_DUMP)).rejects.toMatchObject(failure);
  });
}

async function clonesOf({ folder }: OpenCheckpoint): Promise<string[]> {
  return readdir(join(folder, '.clones')).catch(() => []);
}

async function freeAgain(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) =>
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true))),
  );
}
