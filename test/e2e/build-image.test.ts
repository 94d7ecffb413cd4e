import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import {
  launchEngine,
  titleFor,
  whyWithout,
  type LaunchedEngine,
  type RealEngine,
} from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';
import { silent } from '../support/store.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';

const script = fileURLToPath(new URL('../../scripts/build-image.sh', import.meta.url));

interface Outcome {
  readonly code: number;
  readonly output: string;
}

async function buildImage(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(script, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        output: stdout + stderr,
      });
    });
  });
}

/** The command lines of running processes that speak of it. */
async function commandsWith(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(text)).map((line) => line.replaceAll('\0', ' '));
}

describe.each<RealEngine>(['podman', 'docker'])('build-image.sh', (kind) => {
  describe.skipIf(whyWithout(kind) !== undefined)(titleFor(kind), () => {
    const tag = `test-${randomBytes(5).toString('hex')}`;
    const name = `localhost/try-it-now/hello:${tag}`;
    const releasers = new Releasers();
    let engine: LaunchedEngine;
    let docker: Dockerode;
    let base: TinyImage;

    beforeAll(async () => {
      engine = await launchEngine(kind);
      releasers.push('engine', () => engine[Symbol.asyncDispose]());
      docker = new Dockerode({ host: '', socketPath: engine.socketPath });
      base = await loadTinyImage(engine.socketPath);
      releasers.push('base image', () => base[Symbol.asyncDispose]());
      releasers.push('image', () => docker.getImage(name).remove({ force: true }));
    });
    afterAll(() => releasers.releaseAll(silent));

    const build = (...more: readonly string[]): Promise<Outcome> =>
      buildImage(['hello', '--engine', kind, '--tag', tag, '--build-arg', `BASE=${base.name}`, ...more], {
        [kind === 'docker' ? 'DOCKER_HOST' : 'CONTAINER_HOST']: `unix://${engine.socketPath}`,
      });

    it('builds once, not again for the same inputs, and leaves nothing of the image it replaces', async () => {
      const first = await build();
      expect([first.code, first.output]).toEqual([0, expect.stringContaining(`${name} is ready`)]);
      const built = await docker.getImage(name).inspect();
      expect(built.Config).toMatchObject({ User: '1000:1000', WorkingDir: '/app', Entrypoint: ['node'] });

      expect(await build()).toEqual({ code: 0, output: `hello: ${name} is up to date\n` });
      expect((await docker.getImage(name).inspect()).Id).toBe(built.Id);

      expect((await build('--build-arg', 'RUN_AS=0:0')).code).toBe(0);
      expect((await docker.getImage(name).inspect()).Config.User).toBe('0:0');
      await expect(docker.getImage(built.Id).inspect()).rejects.toMatchObject({ statusCode: 404 });
    });

    it('waits for a registry that does not answer only as long as it is told to', async () => {
      const mute = createServer();
      mute.listen(0, '127.0.0.1');
      await once(mute, 'listening');
      const sockets = new Set<{ destroy(): void }>();
      mute.on('connection', (socket) => sockets.add(socket));
      try {
        const { port } = mute.address() as AddressInfo;
        // Longer where an engine that is busy has not even asked within the time.
        for (const seconds of [1, 8, 64]) {
          const { code, output } = await buildImage(
            ['hello', '--engine', kind, '--tag', `${tag}-x`, '--build-arg', `BASE=127.0.0.1:${port}/nothing:here`],
            {
              [kind === 'docker' ? 'DOCKER_HOST' : 'CONTAINER_HOST']: `unix://${engine.socketPath}`,
              PULL_TIMEOUT: String(seconds),
            },
          );
          expect([code, output]).toEqual([
            1,
            expect.stringContaining(
              `127.0.0.1:${port}/nothing:here is not here and cannot be pulled: no answer within ${seconds} s`,
            ),
          ]);
          if (sockets.size > 0) break;
        }
        expect(sockets.size).toBeGreaterThan(0);
        await eventually(async () => expect(await commandsWith(`127.0.0.1:${port}/nothing:here`)).toEqual([]));
      } finally {
        for (const socket of sockets) socket.destroy();
        mute.close();
      }
    });

    it('names an engine that does not answer', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'tin-build-'));
      try {
        const { code, output } = await buildImage(['hello', '--engine', kind, '--tag', tag], {
          [kind === 'docker' ? 'DOCKER_HOST' : 'CONTAINER_HOST']: `unix://${dir}/no.sock`,
        });
        expect([code, output]).toEqual([1, expect.stringContaining(`${kind} does not answer (unix://${dir}/no.sock)`)]);
      } finally {
        await rm(dir, { recursive: true });
      }
    });
  });
});

describe('build-image.sh, asked for what it cannot do', () => {
  it.each<[readonly string[], number, string]>([
    [
      ['no-such-app'],
      1,
      'examples/no-such-app/Containerfile does not exist; there is: adminer dokuwiki guestbook hello',
    ],
    [['../hello'], 1, 'examples/../hello/Containerfile does not exist'],
    [[], 64, 'NAME is missing'],
    [['hello', 'more'], 64, 'one NAME at a time'],
    [['hello', '--engine', 'lxc'], 64, 'must be podman or docker'],
    [['hello', '--frobnicate'], 64, 'there is no option --frobnicate'],
    [['hello', '--build-arg', 'BASE'], 64, 'takes KEY=VALUE'],
    [['hello', '--tag'], 64, '--tag needs a value'],
  ])('%j', async (args, code, text) => {
    const outcome = await buildImage(args);
    expect([outcome.code, outcome.output]).toEqual([code, expect.stringContaining(text)]);
  });
});
