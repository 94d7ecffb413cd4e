import { DOCKER } from './descriptor.ts';
import { dockerApiEngine } from './docker-api-engine.ts';
import { createDockerRuntime } from './docker-runtime.ts';
import { isLibpod } from './probe.ts';

/** `up` launches none: images do not outlive a dockerd of its own. */
export const behaviour = dockerApiEngine(DOCKER, {
  createRuntime: createDockerRuntime,
  stranger: (headers) => (isLibpod(headers) ? 'Podman' : undefined),
});
