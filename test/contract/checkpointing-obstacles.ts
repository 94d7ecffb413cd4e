import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extract } from 'tar';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_PROCESS } from '../../src/domain/process-settings.ts';
import { DEFAULT_DUMP, type DumpOptions, type Template } from '../../src/domain/template.ts';
import type { Checkpointing } from '../../src/pool/interfaces/checkpointing.ts';
import type { ContainerRuntime, ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { CRIU_CONFIG } from '../../src/runtime/podman/checkpoint/criu-config.ts';
import { libpod } from '../../src/runtime/podman/libpod-api.ts';
import { eventually } from '../support/eventually.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';
import type { CheckpointingUnderTest } from './checkpointing.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const never = new AbortController().signal;
/** SQLite's header: its name, and at 18 and 19 whether it is written with a write-ahead log (2) or not (1). */
const database = (version: number): string => `SQLite format 3\\000\\020\\000\\00${version}\\00${version}`;

/** Its web server holds what the shell opened before it. */
const HOLDING = [
  `printf '${database(1)}' > /www/rollback.db; exec 3<>/www/rollback.db`,
  `printf '${database(2)}' > /www/wal.db; exec 4<>/www/wal.db`,
  `printf '${database(1)}' > /www/read.db; exec 5</www/read.db`,
  'busybox dd if=/dev/zero of=/tmp/ghost bs=1M count=2; exec 6<>/tmp/ghost; busybox rm /tmp/ghost',
  'echo remapped > /www/old; exec 7</www/old; busybox ln /www/old /www/new; busybox rm /www/old',
];
const SERVE = 'exec busybox httpd -f -p';

/** What stands in the way of a checkpoint is said before the dump, and what a template may say about it is heeded. */
export function obstacleContract(underTest: () => CheckpointingUnderTest): void {
  let folder: string;
  let runtime: ContainerRuntime;
  let checkpointing: Checkpointing;
  const images: TinyImage[] = [];

  const startedWith = async (...script: string[]): Promise<ContainerSpec> => {
    const image = await loadTinyImage(underTest().socketPath, ['/bin/sh', '-c', script.join('\n')]);
    images.push(image);
    // Its process 1 is the web server.
    const process = { ...DEFAULT_PROCESS, init: false };
    const tiny: Template = template({ image: image.name, port: image.port, process });
    await runtime.prepare([tiny]);
    const spec = await newSpec(tiny);
    await runtime.start(spec, never);
    await untilReady(spec);
    return spec;
  };
  const refused = async ({ name }: ContainerSpec, options: DumpOptions): Promise<readonly string[]> =>
    checkpointing.examine(name, options).then(
      () => [],
      (cause: unknown) => {
        const error = cause as { code: string; message: string; details: { obstacles: readonly string[] } };
        expect(error.code).toBe('checkpoint_refused');
        for (const obstacle of error.details.obstacles) expect(error.message).toContain(obstacle);
        return error.details.obstacles;
      },
    );

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tin-obstacles-'));
    runtime = underTest().runtime();
    checkpointing = underTest().checkpointing();
  });
  afterAll(async () => {
    for (const { name } of await runtime.list()) await runtime.remove(name);
    expect(await runtime.unprepare()).toBe(true);
    for (const image of images) await image[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('names all of them at once, each with what to do', async () => {
    const spec = await startedWith(
      ...HOLDING,
      // A program that runs on without its file: nobody has it open, it is in memory alone.
      'busybox cp /bin/busybox /www/sleep; /www/sleep 600 &',
      'until busybox readlink /proc/$!/exe | busybox grep -q /www/sleep; do :; done; busybox rm /www/sleep',
      // Beside the one for everybody, one on the address that only this container has.
      'busybox httpd -p "$(busybox hostname -i)":81 -h /www',
      `${SERVE} 80 -h /www`,
    );
    const found = await refused(spec, DEFAULT_DUMP);
    expect(found).toHaveLength(5);
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /^busybox listens on the container's own address [\d.]+, TCP port 81, .*: have it listen on 0\.0\.0\.0/,
        ),
        expect.stringMatching(/SQLite database \/www\/rollback\.db open in rollback-journal mode.*journal_mode=WAL/),
        expect.stringMatching(/deleted file \/tmp\/ghost open, 2 MiB, .* set checkpoint\.ghost_limit to 2MiB or more/),
        expect.stringMatching(/^sleep holds the deleted file \/www\/sleep open, [\d.]+ MiB/),
        expect.stringMatching(/deleted file \/www\/old open, .* set checkpoint\.link_remap to true/),
      ]),
    );
    expect(await refused(spec, { ...DEFAULT_DUMP, ghostLimitBytes: 2 ** 24, linkRemap: true })).toHaveLength(2);
  });

  it('dumps what the template says may be dumped, and clones go on with it', async () => {
    const spec = await startedWith(
      ...HOLDING.slice(1),
      // A connection to itself, open for good: neither side ever reads an end.
      'busybox mkfifo /tmp/silence; exec 8<>/tmp/silence; busybox nc -l -p 82 <&8 &',
      'until busybox nc 127.0.0.1 82 <&8; do :; done &',
      `${SERVE} 80 -h /www`,
    );
    const options = { ...DEFAULT_DUMP, ghostLimitBytes: 2 ** 21, linkRemap: true, tcpClose: true };
    await checkpointing.examine(spec.name, options);
    await eventually(async () =>
      expect(checkpointing.untilIdle(spec.name, 0, never)).rejects.toThrow(
        /to port 82, established.*checkpoint\.tcp_close/,
      ),
    );
    const archive = join(folder, 'options.tar');
    await checkpointing.dump(spec.name, archive, options);
    await runtime.remove(spec.name);
    await mkdir(join(folder, 'options'));
    await extract({ file: archive, cwd: join(folder, 'options'), preserveOwner: true });
    const clone = await newSpec(spec.template);
    const from = { id: '0123456789abcdef', folder: join(folder, 'options'), fileLocks: false };
    await checkpointing.restore(clone, from, never);
    await untilReady(clone);
    const held = await runtime.exec(
      clone.name,
      {
        command: ['/bin/sh', '-c', 'busybox wc -c /proc/1/fd/6; busybox cat /proc/1/fd/7'],
        env: {},
        timeoutMs: 20_000,
      },
      never,
    );
    expect(held.output).toMatch(/^2097152 .*\nremapped\n$/);
  });

  it('obeys no file of options that an image names', async () => {
    const { socketPath } = underTest();
    const spec = await startedWith(`${SERVE} 80 -h /www`);
    const name = `${spec.name}-annotated`;
    await libpod(socketPath, 'POST', '/containers/create', {
      image: spec.template.image,
      name,
      annotations: { [CRIU_CONFIG]: '/tmp/of-its-own-choice' },
    });
    try {
      await libpod(socketPath, 'POST', `/containers/${name}/start`).catch((error: unknown) => {
        // Podman answers a start with no body.
        expect(error).toBeInstanceOf(SyntaxError);
      });
      await expect(checkpointing.dump(name, join(folder, 'annotated.tar'), DEFAULT_DUMP)).rejects.toMatchObject({
        code: 'checkpoint_refused',
        message: expect.stringContaining(`has the annotation ${CRIU_CONFIG}`) as string,
      });
    } finally {
      await runtime.remove(name);
    }
  });
}
