import { access, constants, stat } from 'node:fs/promises';
import { describeError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import { connectEngine } from '../runtime/docker/engine-runtime.ts';
import { engineFailure, statusOf } from '../runtime/docker/engine-errors.ts';
import { isolationState } from '../runtime/isolation/iptables.ts';
import { networkPlan } from '../runtime/isolation/network-plan.ts';
import { NotChecked, failure, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Engine';
const LOOK_MS = 6_000;

export interface EngineTarget {
  readonly engine: 'podman' | 'docker';
  readonly socketPath: string;
}

export interface EngineAnswer extends EngineTarget {
  readonly version: string;
  /** The OCI runtime that starts containers. */
  readonly runtime: string;
  /** Where images and containers lie. */
  readonly storage: string;
}

const TITLES = { podman: 'Podman', docker: 'Docker' } as const;

/** The socket's permissions aside, what the engine says of itself. Throws engine_unavailable. */
export async function askEngine({ engine, socketPath }: EngineTarget): Promise<EngineAnswer> {
  const docker = connectEngine(socketPath, undefined, LOOK_MS);
  try {
    const [{ Version }, info] = await Promise.all([
      docker.version(),
      docker.info() as Promise<{ readonly DefaultRuntime?: string; readonly DockerRootDir?: string }>,
    ]);
    return {
      engine,
      socketPath,
      version: Version,
      runtime: info.DefaultRuntime ?? '?',
      storage: info.DockerRootDir ?? '?',
    };
  } catch (error) {
    throw engineFailure(error, { title: TITLES[engine], socketPath }, 'say what it is');
  }
}

/** What runs the instances: the engine's service, the rules that keep instances apart, an image for each template. */
export function engineChecks(
  { engine, socketPath }: EngineTarget,
  answer: Shared<EngineAnswer>,
  deployment: string,
  templates: readonly Template[],
): Check[] {
  const unit = engine === 'podman' ? 'try-it-now-podman' : 'docker';
  const remedy = `Start its service (\`systemctl start ${unit}\`), or correct ${engine === 'podman' ? 'PODMAN_SOCKET' : 'DOCKER_SOCKET'}.`;
  return [
    { part: PART, what: 'socket', remedy, run: async () => [await socket(socketPath, remedy)] },
    { part: PART, what: 'answers', remedy, run: async () => described(await answer.get()) },
    { part: PART, what: 'isolation', run: async () => [await isolation(engine, deployment)] },
    ...templates.map((template): Check => ({
      part: PART,
      what: `image of ${template.name}`,
      run: async () => [await image(await answer.need(), template)],
    })),
  ];
}

/** The simulated engine of a process of its own. */
export function simulatedEngineChecks(list: () => Promise<readonly unknown[]>, socketPath: string): Check[] {
  const remedy = 'Start it (`try-it-now simulated-engine`), or correct SIMULATED_SOCKET.';
  return [
    {
      part: PART,
      what: 'answers',
      remedy,
      run: async () => [ok('answers', `simulated, at ${socketPath}, ${(await list()).length} containers`)],
    },
  ];
}

/** One that is part of the server's own process, which nobody else can look into. */
export function hiddenEngineChecks(auto: boolean): Check[] {
  return [
    {
      part: PART,
      what: 'answers',
      run: () =>
        Promise.resolve([
          auto
            ? warning(
                'answers',
                'neither Podman nor Docker answers, so instances would only be simulated',
                'Start one (`systemctl start try-it-now-podman`), or say that it is meant so with CONTAINER_MODE=simulated.',
              )
            : ok('answers', 'instances are simulated inside the server, as CONTAINER_MODE says'),
        ]),
    },
  ];
}

async function socket(path: string, remedy: string): Promise<Observation> {
  let found;
  try {
    found = await stat(path);
  } catch (error) {
    return failure('socket', `${path}: ${describeError(error)}`, remedy);
  }
  if (!found.isSocket()) return failure('socket', `${path} is not a socket`, remedy);
  try {
    await access(path, constants.R_OK | constants.W_OK);
  } catch {
    return failure(
      'socket',
      `${path} may not be opened by uid ${process.getuid?.() ?? '?'} (mode ${(found.mode & 0o777).toString(8)})`,
      "Run the server as root, or as a member of the socket's group.",
    );
  }
  return ok('socket', `${path}, mode ${(found.mode & 0o777).toString(8)}`);
}

function described({ engine, version, runtime }: EngineAnswer): Observation[] {
  const found = ok('answers', `${TITLES[engine]} ${version}`);
  if (engine === 'podman' && runtime === 'crun') {
    return [
      found,
      warning(
        'runtime',
        "crun: Debian's cannot restore checkpoints",
        'Install runc and name it in containers.conf (`[engine] runtime = "runc"`), then restart Podman\'s service.',
      ),
    ];
  }
  return [found, ok('runtime', runtime)];
}

async function isolation(engine: EngineTarget['engine'], deployment: string): Promise<Observation> {
  const state = await isolationState(networkPlan(engine, deployment));
  if (state.possible)
    return ok(
      'isolation',
      state.inPlace ? 'the rules are in place' : 'possible; the rules come when the server starts',
    );
  return failure('isolation', state.why, 'Run as root with iptables installed (`make setup` installs it).');
}

async function image({ engine, socketPath }: EngineAnswer, { name, image: wanted }: Template): Promise<Observation> {
  const what = `image of ${name}`;
  try {
    const { Id } = await connectEngine(socketPath, undefined, LOOK_MS).getImage(wanted).inspect();
    return ok(what, `${wanted} is ${Id.replace(/^sha256:/, '').slice(0, 12)}`);
  } catch (error) {
    if (statusOf(error) !== 404)
      throw new NotChecked(engineFailure(error, { title: TITLES[engine], socketPath }, `look for ${wanted}`).message);
    return failure(
      what,
      `${TITLES[engine]} does not have ${wanted}`,
      `Build it here (\`${engine} build -t ${wanted} FOLDER\`), or fetch it (\`${engine} pull ${wanted}\`), then restart the server.`,
    );
  }
}
