import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Dockerode from 'dockerode';
import Type from 'typebox';
import Value from 'typebox/value';
import type { OciRuntime } from '../../domain/template.ts';
import { ChildServer } from '../../launcher/child-server.ts';
import { engineAnswers } from '../../launcher/engine-socket.ts';
import type { EngineOptions } from '../docker/engine-options.ts';
import { connectEngine } from '../docker/engine-runtime.ts';
import { libpod } from './libpod-api.ts';

const FOLDER = 'try-it-now-podman-';

/** What two services over the same storage have to have in common. */
const Info = Type.Object({ host: Type.Object({ cgroupManager: Type.String(), eventLogger: Type.String() }) });

interface Service {
  readonly server: ChildServer;
  readonly folder: string;
  readonly socketPath: string;
}

/**
 * Podman remembers of each container which OCI runtime it has, and takes that of the service that creates it: before
 * release 5.9 both its APIs pass over one that is asked for (podman issue 28429). So for each other runtime there is a
 * service of our own, over the same storage, which creates containers and does nothing else. It is started when it is
 * needed first, and ends with this process.
 */
export class RuntimeServices {
  readonly #options: Pick<EngineOptions, 'socketPath' | 'patience'>;
  readonly #services = new Map<OciRuntime, Promise<Service>>();

  constructor(options: Pick<EngineOptions, 'socketPath' | 'patience'>) {
    this.#options = options;
  }

  /** Where containers of this runtime are created. Throws child_failed. */
  async of(runtime: OciRuntime): Promise<Dockerode> {
    let service = await this.#services.get(runtime);
    if (service === undefined || !service.server.alive || !existsSync(service.socketPath)) {
      const started = this.#start(runtime);
      this.#services.set(runtime, started);
      // The next one tries again.
      started.catch(() => this.#services.delete(runtime));
      if (service !== undefined) await end(service);
      service = await started;
    }
    return connectEngine(service.socketPath, undefined, this.#options.patience?.callMs);
  }

  async close(): Promise<void> {
    const running = [...this.#services.values()];
    this.#services.clear();
    await Promise.all(running.map(async (service) => end(await service)));
  }

  async #start(runtime: OciRuntime): Promise<Service> {
    const { socketPath: main, patience } = this.#options;
    const { host } = Value.Parse(Info, await libpod(main, 'GET', '/info', undefined, patience));
    await sweep();
    const folder = await mkdtemp(join(tmpdir(), `${FOLDER}${process.pid}-`));
    const socketPath = join(folder, 'podman.sock');
    const flags = ['--runtime', runtime, '--cgroup-manager', host.cgroupManager, '--events-backend', host.eventLogger];
    try {
      const server = await ChildServer.start({
        name: `Podman's service for ${runtime}`,
        command: 'podman',
        args: [...flags, 'system', 'service', '--time=0', `unix://${socketPath}`],
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

/** What processes left that ended without a chance to remove it. */
async function sweep(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    const pid = new RegExp(`^${FOLDER}(\\d+)-`).exec(entry)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      await rm(join(tmpdir(), entry), { recursive: true, force: true });
  }
}
