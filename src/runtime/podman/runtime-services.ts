import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type Dockerode from 'dockerode';
import Type from 'typebox';
import Value from 'typebox/value';
import { TryItNowError } from '../../domain/errors.ts';
import type { OciRuntime, Template } from '../../domain/template.ts';
import { ChildServer } from '../../launcher/child-server.ts';
import { engineAnswers } from '../../launcher/engine-socket.ts';
import { missingToStart } from '../../lifecycle/own-rights.ts';
import { temporaryFolder } from '../../lifecycle/temporary-folder.ts';
import type { EngineOptions } from '../docker/engine-options.ts';
import { connectEngine } from '../docker/engine-runtime.ts';
import { libpod } from './libpod-api.ts';
import { sharing, whyNotShared } from './memory-sharing.ts';

const FOLDER = 'try-it-now-podman-';

/** What two services over the same storage have to have in common. */
const Info = Type.Object({
  host: Type.Object({
    cgroupManager: Type.String(),
    eventLogger: Type.String(),
    ociRuntime: Type.Object({ path: Type.String() }),
  }),
});

/** What containers have of the service that creates them, or starts them. */
type Kind = OciRuntime | 'shared memory';

type ServiceOptions = Pick<EngineOptions, 'socketPath' | 'patience' | 'log'>;

interface Service {
  readonly server: ChildServer;
  readonly folder: string;
  readonly socketPath: string;
}

/**
 * Podman remembers of each container which OCI runtime it has, and takes that of the service that creates it: before
 * release 5.9 both its APIs pass over one that is asked for (podman issue 28429). And whether the kernel may merge what
 * they hold they inherit from the service that starts or restores them. So for each of these there is a service of our
 * own, over the same storage, which does that and nothing else. It is started when it is needed first, and ends with
 * this process.
 */
export class RuntimeServices {
  readonly #options: ServiceOptions;
  readonly #services = new Map<Kind, Promise<Service>>();
  #canShare: Promise<boolean> | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** Where containers of this runtime are created. Throws child_failed. */
  async of(runtime: OciRuntime): Promise<Dockerode> {
    const { socketPath } = await this.#service(runtime);
    return connectEngine(socketPath, undefined, this.#options.patience?.callMs);
  }

  /** The socket where this template's containers are started and restored. Throws child_failed. */
  async startsAt({ name, memory }: Pick<Template, 'name' | 'memory'>): Promise<string> {
    if (memory !== 'share') return this.#options.socketPath;
    this.#canShare ??= whyNotShared().then((why) => {
      if (why !== undefined)
        this.#options.log.warn(
          { template: name, reason: why },
          'Instances do not share memory here; they start without',
        );
      return why === undefined;
    });
    return (await this.#canShare) ? (await this.#service('shared memory')).socketPath : this.#options.socketPath;
  }

  /** One after the other, so that no two of them find that there is none. */
  #service(kind: Kind): Promise<Service> {
    const last: Promise<Service | undefined> = this.#services.get(kind) ?? Promise.resolve(undefined);
    const next = last
      .catch(() => undefined)
      .then(async (service) => {
        if (service?.server.alive === true && existsSync(service.socketPath)) return service;
        if (service !== undefined) await end(service);
        return this.#start(kind);
      });
    this.#services.set(kind, next);
    return next;
  }

  async close(): Promise<void> {
    const running = [...this.#services.values()];
    this.#services.clear();
    // One that could not be started is nobody's any more.
    await Promise.all(running.map(async (starting) => starting.then(end, () => undefined)));
  }

  async #start(kind: Kind): Promise<Service> {
    const lacks = missingToStart();
    if (lacks.length > 0)
      throw new TryItNowError(
        'child_failed',
        `Podman's service for ${kind} cannot start containers, for this process lacks ${lacks.join(', ')}: take the ` +
          'drop-in deploy/systemd/podman-of-the-server.conf',
      );
    const { socketPath: main, patience } = this.#options;
    const { host } = Value.Parse(Info, await libpod(main, 'GET', '/info', undefined, patience));
    const folder = await temporaryFolder(FOLDER);
    const socketPath = join(folder, 'podman.sock');
    const runtime = kind === 'shared memory' ? host.ociRuntime.path : kind;
    const flags = ['--runtime', runtime, '--cgroup-manager', host.cgroupManager, '--events-backend', host.eventLogger];
    const args = [...flags, 'system', 'service', '--time=0', `unix://${socketPath}`];
    try {
      const server = await ChildServer.start({
        name: `Podman's service for ${kind}`,
        ...(kind === 'shared memory' ? sharing('podman', args) : { command: 'podman', args }),
        cwd: folder,
        isUp: () => engineAnswers(socketPath),
      });
      return { server, folder, socketPath };
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

async function end({ server, folder }: Service): Promise<void> {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
