import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { engineChecks } from '../../src/doctor/engine.ts';
import { runChecks, Shared } from '../../src/doctor/check.ts';
import { newInstanceId } from '../../src/domain/ids.ts';
import type { TryItNowError } from '../../src/domain/errors.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { engineAnswers } from '../../src/launcher/engine-socket.ts';
import { reportFor } from '../../src/pool/diagnose.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { titleFor, uniqueDeployment, whyWithout, type RealEngine } from '../support/container-engine.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage } from '../support/tiny-image.ts';
import { newSpec } from '../contract/container-runtime.ts';
import { LOOPBACK } from '../../src/runtime/isolation/publishing.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const SAID = /another network namespace than this server: the interface tin-[0-9a-f]{8}-c of their network is not here/;

/** The engine's service in a network namespace of its own, as a rootless one or one in a container is. */
async function launchElsewhere(engine: RealEngine): Promise<AsyncDisposable & { readonly socketPath: string }> {
  const dir = await mkdtemp(join(tmpdir(), `tin-elsewhere-${engine}-`));
  const namespace = `tin-${engine}-${randomBytes(4).toString('hex')}`;
  const socketPath = join(dir, 'engine.sock');
  let server: ChildServer | undefined;
  const dispose = async (): Promise<void> => {
    await server?.stop();
    await run('ip', ['netns', 'del', namespace]);
    await rm(dir, { recursive: true });
  };
  const command = {
    docker: ['dockerd', '--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '--bridge', 'none'].concat([
      '--pidfile',
      join(dir, 'docker.pid'),
      '--host',
      `unix://${socketPath}`,
      '--log-level',
      'warn',
    ]),
    podman: ['podman', '--runtime', 'runc', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'].concat([
      'system',
      'service',
      '--time=0',
      `unix://${socketPath}`,
    ]),
  }[engine];
  await run('ip', ['netns', 'add', namespace]);
  try {
    await run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
    server = await ChildServer.start({
      name: `${engine} elsewhere`,
      command: 'nsenter',
      args: [`--net=/run/netns/${namespace}`, ...command],
      isUp: () => engineAnswers(socketPath),
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { socketPath, [Symbol.asyncDispose]: dispose };
}

describe.each<RealEngine>(['podman', 'docker'])(
  'an engine in another network namespace',
  { concurrent: true },
  (name) => {
    it.skipIf(whyWithout(name) !== undefined)(`${titleFor(name)} is refused, and doctor says so`, async () => {
      await using launched = await launchElsewhere(name);
      await using image = await loadTinyImage(launched.socketPath);
      const { socketPath } = launched;
      const engine = await loadEngine(name);
      if (!engine.runsContainers) throw new Error(`${name} runs no containers`);
      const deployment = uniqueDeployment();
      const runtime = engine.createRuntime({ socketPath, deployment, node: 'node-a', log: silent });
      const tiny = template({ image: image.name, port: image.port });
      const spec = await newSpec(tiny);
      const started = runtime.prepare([tiny]).then(() => runtime.start(spec, never));
      const thrown = await started.then(
        () => undefined,
        (error: unknown) => error,
      );
      try {
        expect(thrown).toMatchObject({ code: 'isolation_failed', message: expect.stringMatching(SAID) as string });
        expect(await runtime.list()).toEqual([]);

        const { code, message } = thrown as TryItNowError;
        const attempt = { template: tiny, instance: newInstanceId(), node: 'node-a', atMs: 1 };
        const report = reportFor(attempt, { code, reason: message, remedy: 'as said' });
        const answer = new Shared(() => engine.inspect(socketPath).facts(), 'absent');
        const checks = engineChecks(
          engine,
          socketPath,
          answer,
          { deployment, templates: [], publishing: LOOPBACK, pins: () => Promise.resolve(new Map()) },
          () => Promise.resolve([report]),
        );
        const found = await runChecks(checks.filter(({ what }) => what === 'isolation'));
        expect(found).toMatchObject([{ verdict: 'failure', seen: expect.stringMatching(SAID) as string }]);
      } finally {
        for (const { name: left } of await runtime.list()) await runtime.remove(left);
        expect(await runtime.unprepare()).toBe(true);
        await runtime.close();
      }
    });
  },
);
