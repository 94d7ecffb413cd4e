import { access, constants, stat, statfs } from 'node:fs/promises';
import { describeError } from '../domain/errors.ts';
import type { FailureReport } from '../domain/failure-report.ts';
import { byDigest, type ImagePin } from '../domain/image-pin.ts';
import { NO_NODE } from '../domain/node.ts';
import { containerTemplates, type Template } from '../domain/template.ts';
import type { ProcessRegistry } from '../pool/interfaces/process-registry.ts';
import type { ContainerEngine, ContainerEngineBehaviour, EngineFacts, EngineInspection } from '../runtime/engine.ts';
import { CONTAINER_ENGINES, STAND_IN } from '../runtime/engines.ts';
import { canTellSizes } from '../runtime/docker/folder-sizes.ts';
import { imageRemedy } from '../runtime/image-remedy.ts';
import { openPorts } from '../runtime/isolation/bridge-ports.ts';
import { ONE_NAMESPACE, elsewhere, isBridgeHere } from '../runtime/isolation/bridges.ts';
import { isolationState } from '../runtime/isolation/iptables.ts';
import { networkPlan } from '../runtime/isolation/network-plan.ts';
import type { Publishing } from '../runtime/isolation/publishing.ts';
import { ociRuntimes } from './oci-runtimes.ts';
import { NotChecked, failure, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Engine';
const WATCHED = 'limits of instances';

export interface EngineTargets {
  readonly deployment: string;
  readonly templates: readonly Template[];
  readonly publishing: Publishing;
  /** What names of images stand for on all nodes; none where the store cannot tell. */
  readonly pins: () => Promise<ReadonlyMap<string, ImagePin>>;
}

/** What runs the instances: the engine's service, the rules that keep instances apart, an image for each template. */
export function engineChecks(
  engine: ContainerEngine & Pick<ContainerEngineBehaviour, 'inspect' | 'shortcomings'>,
  socketPath: string,
  answer: Shared<EngineFacts>,
  { deployment, templates, publishing, pins }: EngineTargets,
  failures: () => Promise<readonly FailureReport[]>,
): Check[] {
  const remedy = `Start its service (\`systemctl enable --now ${engine.unit}\`), or correct ${engine.socket.variable}.`;
  const has = async (template: Template): Promise<Observation> => {
    await answer.need();
    return image(engine, engine.inspect(socketPath), template, (await pins()).get(template.image));
  };
  return [
    { part: PART, what: 'socket', remedy, run: async () => [await socket(socketPath, remedy)] },
    { part: PART, what: 'answers', remedy, run: async () => described(engine, await answer.get()) },
    {
      part: PART,
      what: 'runtimes',
      run: async () => ociRuntimes(engine, await answer.need(), templates),
    },
    {
      part: PART,
      what: 'settings',
      run: () =>
        Promise.resolve((engine.shortcomings?.() ?? []).map(({ what, seen, remedy: how }) => warning(what, seen, how))),
    },
    {
      part: PART,
      what: 'isolation',
      run: async () => {
        const bridges = await answer.get().then(
          () => engine.inspect(socketPath).bridges(deployment),
          () => [],
        );
        return [
          ...(await isolation(engine, { deployment, templates, publishing }, bridges, await failures())),
          ...(await neighbours(bridges)),
        ];
      },
    },
    watchedCheck(answer, () => engine.inspect(socketPath).showsWritten(deployment)),
    ...templates.map((template): Check => ({
      part: PART,
      what: `image of ${template.name}`,
      run: async () => [await has(template)],
    })),
    {
      part: PART,
      what: 'users',
      run: async () => {
        await answer.need();
        return users(engine.inspect(socketPath), templates);
      },
    },
  ];
}

function watchedCheck(answer: Shared<EngineFacts>, showsWritten: () => Promise<boolean | undefined>): Check {
  return {
    part: PART,
    what: WATCHED,
    run: async () => [await watched((await answer.need()).storage, showsWritten)],
  };
}

/** Whether this host shows what instances take of it; `showsWritten`: of one that runs, if there is one. */
async function watched(storage: string, showsWritten: () => Promise<boolean | undefined>): Promise<Observation> {
  if (!(await statfs(storage).then(Boolean, () => false)))
    return warning(
      WATCHED,
      `${storage} cannot be seen from here, so nothing bounds what instances write and compute`,
      "Run the server, or a worker, on the engine's host and as root.",
    );
  if (!(await canTellSizes()))
    return warning(
      WATCHED,
      'this host has no `find` that tells sizes, so nothing bounds what instances write',
      'Install GNU findutils (Debian: the package findutils).',
    );
  if ((await showsWritten()) === false)
    return warning(
      WATCHED,
      'it cannot be seen where instances write, so limits.disk and limits.files do not hold',
      'Have the engine keep containers on overlay (Docker: `overlay2`, or its containerd store; Podman: `overlay`).',
    );
  return ok(WATCHED, 'watched: what instances write, print and compute is bounded');
}

/** A stand-in that is a process of its own. */
export function standInChecks(list: () => Promise<readonly unknown[]>, socketPath: string): Check[] {
  const remedy = `Start it (\`try-it-now simulated-engine\`), or correct ${STAND_IN.socket.variable}.`;
  return [
    {
      part: PART,
      what: 'answers',
      remedy,
      run: async () => [ok('answers', `${STAND_IN.name}, at ${socketPath}, ${(await list()).length} containers`)],
    },
  ];
}

/** Where servers hold no instances themselves, others have to. */
export function noEngineCheck(processes: Shared<Pick<ProcessRegistry, 'running'>>): Check {
  return {
    part: PART,
    what: 'answers',
    run: async () => {
      const workers = (await (await processes.need()).running()).filter(({ node }) => node !== NO_NODE);
      const seen = `none on this host, as CONTAINER_MODE says; instances are on ${
        [...new Set(workers.map(({ node }) => node))].sort().join(', ') || 'no host'
      }`;
      return [
        workers.length > 0
          ? ok('answers', seen)
          : failure('answers', seen, 'Start a worker: `try-it-now fleet join-token` prints what to do on its host.'),
      ];
    },
  };
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
                `neither ${CONTAINER_ENGINES.map(({ title }) => title).join(' nor ')} answers, so instances would ` +
                  'only be simulated',
                `Start one (\`systemctl enable --now ${CONTAINER_ENGINES[0]?.unit ?? ''}\`), or say that it is meant ` +
                  `so with CONTAINER_MODE=${STAND_IN.name}.`,
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

function described(
  { title, poorRuntimes }: ContainerEngine,
  { version, runtime, seccomp }: EngineFacts,
): Observation[] {
  const poor = poorRuntimes[runtime];
  return [
    ok('answers', `${title} ${version}`),
    poor === undefined ? ok('runtime', runtime) : warning('runtime', poor.seen, poor.remedy),
    seccomp
      ? ok('system calls', 'filtered by seccomp')
      : failure(
          'system calls',
          `${title} cannot filter them, so that no instance can be started`,
          'Use a kernel with CONFIG_SECCOMP_FILTER, and an engine and an OCI runtime built with seccomp.',
        ),
  ];
}

/** `bridges`: of what runs now; `failures`: the newest of each template, for what was removed again since. */
async function isolation(
  { name, title }: Pick<ContainerEngine, 'name' | 'title'>,
  { deployment, templates, publishing }: Omit<EngineTargets, 'pins'>,
  bridges: readonly string[],
  failures: readonly FailureReport[],
): Promise<Observation[]> {
  const what = 'isolation';
  const state = await isolationState(networkPlan(name, deployment, templates), publishing);
  if (!state.possible)
    return [failure(what, state.why, 'Run as root with iptables and ipset installed (`make setup` installs them).')];
  for (const bridge of bridges)
    if (!(await isBridgeHere(bridge))) return [failure(what, elsewhere(title, bridge), `${ONE_NAMESPACE}.`)];
  const refused = failures.find(({ code }) => code === 'isolation_failed');
  if (refused !== undefined)
    return [failure(what, `the last instance of ${refused.template} was refused: ${refused.reason}`, refused.remedy)];
  return state.inPlace
    ? [ok(what, 'the rules are in place'), published(publishing, state.publishedAsMeant)]
    : [ok(what, 'possible; the rules come when the server starts')];
}

function published({ address, ports, proxies }: Publishing, asMeant: boolean): Observation {
  const what = 'published ports';
  const who = proxies.length === 0 ? 'this host alone' : `this host, ${proxies.join(', ')}`;
  const seen = `${address}:${ports.start}-${ports.end}, for ${who}`;
  if (asMeant) return ok(what, seen);
  return failure(
    what,
    `${seen}; the rules in place say otherwise, so others may reach instances without the proxy, or a proxy not at all`,
    'Wait for the reconciler (30 s), or restart what runs here: it was started with another NODE_ADDRESS, ' +
      'PROXY_ADDRESSES or port range.',
  );
}

/** Nothing where all is well: the rules forbid what counts. */
async function neighbours(bridges: readonly string[]): Promise<Observation[]> {
  const open = (await Promise.all(bridges.map(openPorts))).flat();
  if (open.length === 0) return [];
  const seen = `${open.length} instances learn by ARP which addresses are in use: their ports of the bridge are open`;
  return [warning('neighbours', seen, 'Install iproute2 (`make setup` does); the server closes them within 30 s.')];
}

/** Nothing where none runs as root, or where the image is not there to tell. */
async function users(inspection: EngineInspection, templates: readonly Template[]): Promise<Observation[]> {
  const asRoot = async (part: Template): Promise<boolean> => {
    const user = part.process.user ?? (await inspection.image(part.image).catch(() => undefined))?.user;
    return user !== undefined && /^(root|0)?(:|$)/.test(user);
  };
  const roots = [];
  for (const template of templates)
    if ((await Promise.all(containerTemplates(template).map(asRoot))).includes(true)) roots.push(template.name);
  if (roots.length === 0) return [];
  return [
    warning(
      'users',
      `${roots.join(', ')} ${roots.length === 1 ? 'runs' : 'run'} as root, without its rights, but counted together ` +
        "with this host's own root where the kernel counts by user",
      'Set `user` in the template where the app bears it; docs/security.md says what is shared.',
    ),
  ];
}

async function image(
  engine: ContainerEngine,
  inspection: EngineInspection,
  { name, image: wanted }: Template,
  pin: ImagePin | undefined,
): Promise<Observation> {
  const { title, imageTool } = engine;
  const { program } = imageTool;
  const what = `image of ${name}`;
  let id;
  let pinned;
  try {
    id = await inspection.imageId(wanted);
    pinned = pin === undefined ? undefined : await pinnedId(inspection, wanted, pin);
  } catch (error) {
    throw new NotChecked(error instanceof Error ? error.message : String(error));
  }
  if (pin !== undefined && pinned === undefined && id !== undefined)
    return failure(
      what,
      `${wanted} is ${shortId(id)} here, and ${shortId(pin.id)} on other nodes, as the server of ${pin.node} decided`,
      pin.digest === undefined
        ? `Bring it from there: \`${program} save\` and \`${program} load\`.`
        : `Fetch it: \`${program} pull ${byDigest(wanted, pin.digest)}\`.`,
    );
  if (pinned !== undefined) return ok(what, `${wanted} is ${shortId(pinned)}`);
  return id === undefined
    ? failure(what, `${title} does not have ${wanted}`, `${imageRemedy(engine, wanted)} Then restart the server.`)
    : ok(what, `${wanted} is ${shortId(id)}`);
}

async function pinnedId(
  inspection: EngineInspection,
  name: string,
  { id, digest }: ImagePin,
): Promise<string | undefined> {
  const found = await inspection.imageId(id);
  return found ?? (digest === undefined ? undefined : inspection.imageId(byDigest(name, digest)));
}

function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
