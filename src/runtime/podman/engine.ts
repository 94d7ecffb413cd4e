import { dockerApiEngine } from '../docker/docker-api-engine.ts';
import { isLibpod } from '../docker/probe.ts';
import { createPodmanCheckpointing } from './checkpoint/podman-checkpointing.ts';
import { PODMAN } from './descriptor.ts';
import { launchPodman } from './launch.ts';
import { createPodmanRuntime } from './podman-runtime.ts';

export const behaviour = dockerApiEngine(PODMAN, {
  createRuntime: createPodmanRuntime,
  createCheckpointing: createPodmanCheckpointing,
  stranger: (headers) => (isLibpod(headers) ? undefined : 'not Podman'),
  launch: { program: 'podman', start: launchPodman },
});
