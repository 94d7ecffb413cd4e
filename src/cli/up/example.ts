import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../config/environment.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { ContainerEngine } from '../../runtime/engine.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const OWN_IMAGE = /^localhost\/try-it-now\/([a-z0-9-]+):latest$/;

/**
 * With nothing chosen, the example app: TEMPLATE=<name> picks another of the folder examples/. Throws unknown_template.
 */
export function withExample(env: Environment): Environment {
  if (isSet(env['TEMPLATES_FILE']) || isSet(env['CONTAINER_IMAGE'])) return env;
  const name = isSet(env['TEMPLATE']) ? env['TEMPLATE'] : 'hello';
  const file = `${ROOT}examples/${name}/template.yaml`;
  if (!/^[a-z0-9-]+$/.test(name) || !existsSync(file)) {
    throw new TryItNowError(
      'unknown_template',
      `there is no example named "${name}" (TEMPLATE); the folder examples/ holds them`,
    );
  }
  // What is given on the command line counts, whatever the example says for itself.
  return { POOL_OVERRIDES_TEMPLATES: 'true', ...env, TEMPLATES_FILE: file };
}

export function isSet(value: string | undefined): value is string {
  return value !== undefined && value.trim() !== '';
}

/** The example an image is built from; undefined for an image that is none of ours to build. */
export function exampleOf(image: string): string | undefined {
  const name = OWN_IMAGE.exec(image)?.[1];
  return name !== undefined && existsSync(`${ROOT}examples/${name}/Containerfile`) ? name : undefined;
}

export interface BuildOptions {
  readonly imageTool: ContainerEngine['imageTool'];
  readonly socketPath: string;
  readonly env: Environment;
  /** Have the app run as root inside its container; see mayDumpOtherUsers. */
  readonly asRoot: boolean;
}

const CAP_SYS_RESOURCE = 1n << 24n;

/**
 * CRIU has to read the limits of the processes it dumps; without CAP_SYS_RESOURCE it may only read
 * those of its own user.
 */
export function mayDumpOtherUsers(status: string = readFileSync('/proc/self/status', 'utf8')): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) & CAP_SYS_RESOURCE) !== 0n;
}

/** Builds the image when it is missing or its sources changed. Throws image_missing with the build's last lines. */
export async function buildImage(name: string, options: BuildOptions, onLine: (line: string) => void): Promise<void> {
  const { imageTool, socketPath, env, asRoot } = options;
  const { program, socketVariable } = imageTool;
  const build = spawn(
    `${ROOT}scripts/build-image.sh`,
    [name, '--engine', program, ...(asRoot ? ['--build-arg', 'RUN_AS=0:0'] : [])],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, ...(socketVariable === undefined ? {} : { [socketVariable]: `unix://${socketPath}` }) },
    },
  );
  const lines: string[] = [];
  for (const stream of [build.stdout, build.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of chunk.split('\n').filter((text) => text.trim() !== '')) {
        lines.push(line);
        onLine(line);
      }
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    build.once('error', reject);
    build.once('close', resolve);
  });
  if (code !== 0)
    throw new TryItNowError(
      'image_missing',
      `The image of the example "${name}" could not be built:\n${lines.slice(-15).join('\n')}`,
    );
}
