import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../src/launcher/child-server.ts';
import { launchDocker } from '../../src/runtime/docker/launch.ts';
import { launchPodman } from '../../src/runtime/podman/launch.ts';

export type RealEngine = 'podman' | 'docker';

/**
 * Why the engine's tests cannot run here; undefined when they can. Where CI runs nothing is
 * excused: they run, and fail.
 */
export function whyWithout(engine: RealEngine): string | undefined {
  if (process.env['CI'] === 'true') return undefined;
  const program = engine === 'podman' ? 'podman' : 'dockerd';
  if (findProgram(program) === undefined) return `the program ${program} is not installed`;
  if (process.getuid?.() !== 0) return 'it needs root';
  return undefined;
}

/** Why instances cannot run in sandboxes here, which is printed; undefined when they can. In CI nothing is excused. */
export function whyWithoutSandbox(): string | undefined {
  if (process.env['CI'] === 'true' || findProgram('try-it-now-runsc') !== undefined) return undefined;
  const why = 'set-up has not installed runsc (scripts/setup.sh --with-runsc)';
  process.stderr.write(`The tests of \`runtime: runsc\` are skipped: ${why}\n`);
  return why;
}

/**
 * The title of a suite, with the reason when it is skipped; the reporter does not show it then, so
 * it is printed as well.
 */
export function titleFor(engine: RealEngine): string {
  const why = whyWithout(engine);
  if (why === undefined) return engine;
  process.stderr.write(`The ${engine} tests are skipped: ${why}\n`);
  return `${engine} (skipped: ${why})`;
}

export interface LaunchedEngine extends AsyncDisposable {
  readonly engine: RealEngine;
  readonly socketPath: string;
}

/** The real engine on a socket of its own. */
export async function launchEngine(engine: RealEngine): Promise<LaunchedEngine> {
  const dir = await mkdtemp(join(tmpdir(), `tin-${engine}-`));
  try {
    const launched =
      engine === 'podman' ? await launchPodman({ socketPath: join(dir, 'podman.sock') }) : await launchDocker({ dir });
    const dispose = async (): Promise<void> => {
      await launched[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
    };
    return { engine, socketPath: launched.socketPath, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await rm(dir, { recursive: true });
    throw error;
  }
}

/** A deployment's name that no other test uses. */
export function uniqueDeployment(): string {
  return `test-${randomBytes(5).toString('hex')}`;
}
