import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { openCheckpointContext } from '../../src/composition/checkpoint-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createCheckpoint } from '../../src/pool/checkpoints.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startStack } from '../support/stack.ts';

/** Run as root inside, so that its processes can be dumped on a host without CAP_SYS_RESOURCE. */
export const HELLO = {
  name: 'bench',
  image: 'localhost/try-it-now/hello:criu',
  port: 3000,
  readiness: { path: '/healthz', timeout: '120s' },
  warmup: ['/'],
  limits: { memory: '256MiB', cpus: 1, pids: 64 },
  activation: { http: '/.try-it-now/activate' },
  identity: { http: '/.try-it-now/identity' },
  checkpoint: { warmup: ['/'] },
};

export async function buildHello(): Promise<void> {
  const script = fileURLToPath(new URL('../../scripts/build-image.sh', import.meta.url));
  await promisify(execFile)(script, ['hello', '--build-arg', 'RUN_AS=0:0', '--tag', 'criu']);
}

/** The archive of a new checkpoint of hello, with what else belongs to it under `dir`/checkpoints. */
export async function helloArchive(dir: string, socketPath: string): Promise<string> {
  const catalogue = join(dir, 'checkpointed.yaml');
  const checkpoints = join(dir, 'checkpoints');
  await writeFile(catalogue, stringify({ templates: [{ ...HELLO, pool: { target: 0, max: 1 } }] }));
  const env = { CHECKPOINT_DIR: checkpoints, CRIU_ENABLED: 'auto' };
  const { templates } = loadConfig({ ...env, TEMPLATES_FILE: catalogue }).config;
  await using stack = await startStack({ engine: 'podman', socketPath, templates, env });
  const context = await openCheckpointContext(stack.config, createLogger('silent'));
  try {
    const { id } = await createCheckpoint(context, HELLO.name, () => undefined, new AbortController().signal);
    return join(checkpoints, HELLO.name, `${id}.tar`);
  } finally {
    await context.close();
  }
}
