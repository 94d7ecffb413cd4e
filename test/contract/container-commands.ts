import { createServer, connect } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { DEFAULT_PROCESS, type ProcessSettings } from '../../src/domain/process-settings.ts';
import { DATABASE_MOUNT, type Template } from '../../src/domain/template.ts';
import type { ContainerSpec, ExecResult } from '../../src/pool/interfaces/container-runtime.ts';
import { eventually } from '../support/eventually.ts';
import { leftAt } from '../support/left-at.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage } from '../support/tiny-image.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec } from './container-runtime.ts';

const never = new AbortController().signal;
const BUSYBOX = '/bin/busybox';

/** What is run and mounted in an instance of a real engine. */
export function commandsContract(underTest: () => EngineUnderTest): void {
  // Most only run something in it.
  let spec: ContainerSpec;
  beforeAll(async () => {
    spec = await started();
  });
  afterEach(async () => {
    const engine = underTest().runtime();
    for (const { name } of await engine.list()) if (name !== spec.name) await engine.remove(name);
  });
  afterAll(async () => {
    const engine = underTest().runtime();
    await engine.remove(spec.name);
    expect(await engine.unprepare()).toBe(true);
  });

  const started = async (overrides: Partial<Template> = {}, databaseFolder?: string): Promise<ContainerSpec> => {
    const { runtime, image } = underTest();
    const tiny = template({ image: image.name, port: image.port, env: { FROM: 'template' }, ...overrides });
    const spec = await newSpec(tiny);
    const engine = runtime(undefined, undefined, undefined, databaseFolder);
    await engine.prepare([tiny]);
    await engine.start(spec, never);
    return spec;
  };
  const exec = async (
    { name }: ContainerSpec,
    command: readonly string[],
    options: { env?: Record<string, string>; timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<ExecResult> =>
    underTest()
      .runtime()
      .exec(name, { command, env: options.env ?? {}, timeoutMs: options.timeoutMs ?? 20_000 }, options.signal ?? never);

  it('gives a command its own environment on top, and answers with its exit code and both streams', async () => {
    const { exitCode, output } = await exec(
      spec,
      ['/bin/sh', '-c', 'echo "out $FROM $SEED"; echo "err $#" >&2; exit 7'],
      { env: { SEED: 'a=b "c"' } },
    );
    expect(exitCode).toBe(7);
    expect(output.split('\n').sort()).toEqual(['', 'err 0', 'out template a=b "c"']);
    const { signal } = new AbortController();
    expect(await exec(spec, [BUSYBOX, 'true'], { signal })).toEqual({ exitCode: 0, output: '' });
    expect(leftAt(signal)).toBe(0);
  });

  it('hands over variables whose names no shell would take, to the first process and to commands', async () => {
    const env = { 'discovery.type': 'single-node', 'spring.main.banner-mode': 'off' };
    const given = await started({ env });
    const first = (await exec(given, [BUSYBOX, 'cat', '/proc/1/environ'])).output.split('\0');
    expect(first).toEqual(expect.arrayContaining(['discovery.type=single-node', 'spring.main.banner-mode=off']));
    const inherited = (await exec(given, [BUSYBOX, 'env'])).output.split('\n');
    expect(inherited).toEqual(expect.arrayContaining(['discovery.type=single-node', 'spring.main.banner-mode=off']));
  });

  it('starts the ENTRYPOINT of the image with its CMD, with other words, or with none', async () => {
    const entrypoint = ['/bin/sh', '-c', `echo "$# $*" > /tmp/words; exec ${BUSYBOX} sleep 600`, 'sh'];
    const { socketPath } = underTest();
    await using image = await loadTinyImage(socketPath, ['of', 'the image'], [], undefined, undefined, entrypoint);
    const words = async (process: Partial<ProcessSettings>): Promise<string> => {
      const given = await started({ image: image.name, process: { ...DEFAULT_PROCESS, ...process } });
      await eventually(async () =>
        expect((await exec(given, [BUSYBOX, 'cat', '/tmp/words'])).output).toMatch(/^\d .*\n$/),
      );
      const { output } = await exec(given, [BUSYBOX, 'cat', '/tmp/words']);
      await underTest().runtime().remove(given.name);
      return output;
    };
    expect(await words({})).toBe('2 of the image\n');
    expect(await words({ args: ['more'] })).toBe('3 of the image more\n');
    expect(await words({ command: ['other'] })).toBe('1 other\n');
    expect(await words({ command: [], args: ['other'] })).toBe('1 other\n');
    expect(await words({ command: [] })).toBe('0 \n');
  });

  it('says that there is nothing to start without the CMD of an image that has no ENTRYPOINT', async () => {
    await expect(started({ process: { ...DEFAULT_PROCESS, command: [] } })).rejects.toMatchObject({
      code: 'container_failed',
      message: expect.stringMatching(/has command: \[\], and its image .* has no ENTRYPOINT/) as string,
    });
  });

  it('keeps the end of a long output', async () => {
    const { exitCode, output } = await exec(spec, [
      '/bin/sh',
      '-c',
      `${BUSYBOX} yes 0123456 | ${BUSYBOX} head -c 300000; echo the end`,
    ]);
    expect(exitCode).toBe(0);
    expect(output).toHaveLength(8 * 1024);
    expect(output.endsWith('0123456\nthe end\n')).toBe(true);
  });

  it('passes on what a command writes, byte by byte, and what goes to standard error apart from it', async () => {
    const output = (script: string, signal = never) =>
      underTest().runtime().output(spec.name, ['/bin/sh', '-c', script], signal);
    const bytes = Buffer.from([0, 1, 10, 13, 128, 255]);
    const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
    const { stdout, result } = await output(`printf '${octal}'; echo aside >&2; printf end; exit 3`);
    expect(await buffer(stdout)).toEqual(Buffer.concat([bytes, Buffer.from('end')]));
    expect(await result()).toEqual({ exitCode: 3, output: 'aside\n' });

    // More than anything on the way holds, read slowly, to its last byte.
    const much = await output(`${BUSYBOX} head -c 4000000 /dev/zero; printf end`);
    let length = 0;
    let last = Buffer.alloc(0);
    for await (const chunk of much.stdout) {
      length += chunk.length;
      last = Buffer.concat([last, chunk]).subarray(-3);
      if (length % 7 === 0) await setImmediate();
    }
    expect([length, last.toString()]).toEqual([4_000_003, 'end']);
    expect(await much.result()).toEqual({ exitCode: 0, output: '' });

    const abort = new AbortController();
    const endless = await output(`${BUSYBOX} yes`, abort.signal);
    const reading = (async () => {
      for await (const chunk of endless.stdout) if (chunk.length > 0) abort.abort(new Error('enough'));
    })();
    await expect(reading).rejects.toThrow('enough');
  });

  it('says when the program is not there', async () => {
    // An engine answers with an error of its own, or as a shell does.
    const outcome = await exec(spec, ['/no/such/program']).then(
      ({ exitCode }) => exitCode,
      (error: unknown) => error,
    );
    if (typeof outcome === 'number') expect([126, 127]).toContain(outcome);
    else
      expect(outcome).toMatchObject({
        code: 'container_failed',
        message: expect.stringMatching(/no such file/i) as string,
      });
  });

  it('gives up after the time allowed, and at the signal', async () => {
    await expect(exec(spec, [BUSYBOX, 'sleep', '600'], { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'container_failed',
      message: expect.stringContaining('did not end within 300 ms') as string,
    });
    const abort = new AbortController();
    const running = exec(spec, ['/bin/sh', '-c', `echo begun > /tmp/begun; ${BUSYBOX} sleep 600`], {
      signal: abort.signal,
    });
    await eventually(async () => expect((await exec(spec, [BUSYBOX, 'cat', '/tmp/begun'])).output).toBe('begun\n'));
    abort.abort(new Error('the task was taken away'));
    await expect(running).rejects.toThrow('the task was taken away');
    // The engine is not kept busy by what was aborted.
    expect(await exec(spec, [BUSYBOX, 'true'])).toMatchObject({ exitCode: 0 });
  });

  it("sees the database server's folder, read-only, if its template has a database", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tin-socket-'));
    const server = createServer().listen(join(folder, 'db.sock'));
    try {
      const without = await started({}, folder);
      expect((await exec(without, [BUSYBOX, 'ls', DATABASE_MOUNT])).exitCode).not.toBe(0);
      const database = { engine: 'mariadb' as const, seedFile: '/seed.sql', seedDigest: 'x' };
      const given = await started({ database }, folder);
      expect(await exec(given, [BUSYBOX, 'ls', DATABASE_MOUNT])).toEqual({ exitCode: 0, output: 'db.sock\n' });
      const written = await exec(given, [BUSYBOX, 'touch', `${DATABASE_MOUNT}/x`]);
      expect(written).toMatchObject({
        exitCode: 1,
        output: expect.stringContaining('Read-only file system') as string,
      });
      await expect(started({ database })).rejects.toMatchObject({ code: 'database_unavailable' });
      // Ours, and still there.
      await new Promise<void>((resolve, reject) => {
        const socket = connect(join(folder, 'db.sock'), () => {
          socket.destroy();
          resolve();
        }).on('error', reject);
      });
    } finally {
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    }
  });
}
