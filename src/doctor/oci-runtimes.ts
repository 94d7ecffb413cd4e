import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { release } from 'node:os';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { describeError } from '../domain/errors.ts';
import type { OciRuntime, Template } from '../domain/template.ts';
import type { ContainerEngine, EngineFacts } from '../runtime/engine.ts';
import { failure, ok, type Observation } from './check.ts';

const TIMEOUT_MS = 5_000;
/** What set-up installs in front of runsc; scripts/setup/runsc.sh writes it. */
const WRAPPER = 'try-it-now-runsc';
/** Builds from before take each network for the host's own on kernels from this one on (gvisor issue 10704). */
const FIXED_SINCE = 20_240_801;
const KERNEL = [6, 11] as const;

/** Whether each OCI runtime that a template names is there; nothing where none names one. */
export async function ociRuntimes(
  engine: Pick<ContainerEngine, 'title' | 'name'>,
  { runtimes }: Pick<EngineFacts, 'runtimes'>,
  templates: readonly Pick<Template, 'name' | 'runtime'>[],
): Promise<Observation[]> {
  const wanted = new Map<OciRuntime, string[]>();
  for (const { name, runtime } of templates)
    if (runtime !== undefined) wanted.set(runtime, [...(wanted.get(runtime) ?? []), name]);
  return Promise.all(
    [...wanted].map(async ([runtime, users]) => {
      const what = `runtime ${runtime}`;
      const found = await installed(runtime, runtimes[runtime]);
      return 'why' in found
        ? failure(what, `${users.join(', ')} cannot be started: ${engine.title} ${found.why}`, remedy(engine, runtime))
        : ok(what, found.version);
    }),
  );
}

function remedy({ name }: Pick<ContainerEngine, 'name'>, runtime: OciRuntime): string {
  if (runtime !== 'runsc') return `Install ${runtime}, then restart the engine's service.`;
  const where =
    name === 'docker'
      ? `add \`"runtimes": {"runsc": {"path": "/usr/local/sbin/${WRAPPER}"}}\` to /etc/docker/daemon.json`
      : 'set-up tells Podman of it';
  return `Run \`scripts/setup.sh --with-runsc\`; ${where}. Then restart the engine's service.`;
}

async function installed(
  runtime: OciRuntime,
  path: string | undefined,
): Promise<{ readonly version: string } | { readonly why: string }> {
  if (path === undefined) return { why: `knows of no OCI runtime ${runtime}` };
  // An engine looks up by itself what is only a name.
  if (!path.startsWith('/')) return { version: path };
  try {
    await access(path, constants.X_OK);
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: TIMEOUT_MS });
    const version = stdout.split('\n')[0] ?? '';
    if (runtime === 'runsc' && basename(path) !== WRAPPER && isTooOld(version, release()))
      return { why: `has ${version} (${path}), which cannot start anything on Linux ${release()}` };
    return { version: `${version}, ${path}` };
  } catch (error) {
    return { why: `takes it for ${path}, which does not run: ${describeError(error)}` };
  }
}

/** `version`: what runsc says of itself, with the day of its build in it. */
export function isTooOld(version: string, kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  const newKernel = major > KERNEL[0] || (major === KERNEL[0] && minor >= KERNEL[1]);
  return newKernel && Number(/\d{8}/.exec(version)?.[0] ?? FIXED_SINCE) < FIXED_SINCE;
}
