import type { ContainerEngine, EngineInspection } from '../engine.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import { connectEngine } from './engine-runtime.ts';

/** Whoever asks what is wrong does not wait as long as whoever runs instances. */
const LOOK_MS = 6_000;

/** What an engine that speaks Docker's API says of itself. */
export function inspectEngine({ title }: Pick<ContainerEngine, 'title'>, socketPath: string): EngineInspection {
  const docker = connectEngine(socketPath, undefined, LOOK_MS);
  return {
    async facts() {
      try {
        const [{ Version }, info] = await Promise.all([
          docker.version(),
          docker.info() as Promise<{ readonly DefaultRuntime?: string; readonly DockerRootDir?: string }>,
        ]);
        return { version: Version, runtime: info.DefaultRuntime ?? '?', storage: info.DockerRootDir ?? '?' };
      } catch (error) {
        throw engineFailure(error, { title, socketPath }, 'say what it is');
      }
    },
    async imageId(image) {
      try {
        return (await docker.getImage(image).inspect()).Id;
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw engineFailure(error, { title, socketPath }, `look for ${image}`);
      }
    },
  };
}
