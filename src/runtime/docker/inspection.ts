import { existsSync } from 'node:fs';
import type Dockerode from 'dockerode';
import type { ImageInspectInfo } from 'dockerode';
import type { ContainerEngine, EngineFacts, EngineInspection, ImageFacts } from '../engine.ts';
import { withDeadline } from '../../lifecycle/deadline.ts';
import { networkNamed, networkPlan } from '../isolation/network-plan.ts';
import { LABEL } from '../labels.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import { connectEngine } from './engine-runtime.ts';
import { upperFolder } from './upper-folder.ts';

/**
 * Whoever asks what is wrong does not wait as long as whoever runs instances, but for longer than Podman may: before it
 * says what it is it counts its containers by state, and waits for each that is just being restored or removed.
 */
const LOOK_MS = 12_000;
/** Its connection lasts for this much longer. */
const GIVEN_UP_MS = 1_000;

/** What an engine that speaks Docker's API says of itself. */
export function inspectEngine(
  { name, title, bridgesStay }: Pick<ContainerEngine, 'name' | 'title' | 'bridgesStay'>,
  socketPath: string,
): EngineInspection {
  // By itself the client library would say of an engine that is late that it cut the connection.
  const docker = connectEngine(socketPath, undefined, LOOK_MS + GIVEN_UP_MS);
  const ask = async <T>(what: string, work: Promise<T>): Promise<T> => {
    try {
      return await withDeadline(LOOK_MS, work, () => {
        throw new Error(`no answer within ${LOOK_MS / 1_000} s`);
      });
    } catch (error) {
      throw engineFailure(error, { title, socketPath }, what);
    }
  };
  const found = (image: string): Promise<ImageInspectInfo | undefined> =>
    ask(
      `look for ${image}`,
      docker
        .getImage(image)
        .inspect()
        .catch((error: unknown) => {
          if (statusOf(error) === 404) return undefined;
          throw error;
        }),
    );
  return {
    facts: () => ask('say what it is', engineFacts(docker)),
    showsWritten: (deployment) => ask('say where a container writes', showsWritten(docker, deployment)),
    async bridges(deployment) {
      const label = [`${LABEL.deployment}=${deployment}`];
      const networks = async (): Promise<ReadonlySet<string>> => {
        const running = await docker.listContainers({ filters: { label, status: ['running'] } });
        const made = bridgesStay ? await docker.listNetworks({ filters: { label } }) : [];
        return new Set([
          ...running.flatMap(({ NetworkSettings }) => Object.keys(NetworkSettings.Networks)),
          ...made.map(({ Name }) => Name),
        ]);
      };
      const plan = networkPlan(name, deployment);
      return [...(await ask('list containers', networks()))].flatMap(
        (network) => networkNamed(plan, network)?.bridge ?? [],
      );
    },
    async imageId(image) {
      return (await found(image))?.Id;
    },
    async image(image) {
      const inspected = await found(image);
      return inspected === undefined ? undefined : imageFacts(inspected);
    },
  };
}

async function engineFacts(docker: Dockerode): Promise<EngineFacts> {
  const [{ Version }, info] = await Promise.all([
    docker.version(),
    docker.info() as Promise<{
      readonly DefaultRuntime?: string;
      readonly Runtimes?: Readonly<Record<string, { readonly path?: string }>> | null;
      readonly DockerRootDir?: string;
      readonly SecurityOptions?: readonly string[] | null;
    }>,
  ]);
  const { DefaultRuntime: runtime = '?', DockerRootDir: storage = '?' } = info;
  const seccomp = (info.SecurityOptions ?? []).some((each) => each.split(',').includes('name=seccomp'));
  const runtimes = Object.fromEntries(
    Object.entries(info.Runtimes ?? {}).map(([name, { path = name }]) => [name, path]),
  );
  return { version: Version, runtime, runtimes, storage, seccomp };
}

function imageFacts({ Id, Architecture, Config }: ImageInspectInfo): ImageFacts {
  const { ExposedPorts, User, Volumes, Env, Entrypoint, Cmd, Healthcheck } = Config as Partial<typeof Config>;
  return {
    id: Id,
    architecture: Architecture,
    ports: Object.keys(ExposedPorts ?? {})
      .filter((port) => port.endsWith('/tcp'))
      .map((port) => Number.parseInt(port, 10))
      .sort((a, b) => a - b),
    user: User ?? '',
    volumes: Object.keys(Volumes ?? {}),
    env: Object.fromEntries(
      (Env ?? []).map((text) => {
        const equals = text.indexOf('=');
        return [text.slice(0, equals), text.slice(equals + 1)];
      }),
    ),
    entrypoint: [Entrypoint ?? []].flat(),
    command: Cmd ?? [],
    healthcheck: Healthcheck?.Test,
  };
}

async function showsWritten(docker: Dockerode, deployment: string): Promise<boolean | undefined> {
  const filters = { label: [`${LABEL.deployment}=${deployment}`], status: ['running'] };
  const [one] = await docker.listContainers({ filters });
  if (one === undefined) return undefined;
  const found = await docker
    .getContainer(one.Id)
    .inspect()
    .catch((error: unknown) => {
      if (statusOf(error) === 404) return undefined;
      throw error;
    });
  // It has ended meanwhile.
  if (found === undefined) return undefined;
  const upper = await upperFolder(found);
  return upper !== undefined && existsSync(upper);
}
