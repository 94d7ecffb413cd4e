import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { dockerApiEngine } from '../docker/docker-api-engine.ts';
import { isLibpod } from '../docker/probe.ts';
import { createPodmanCheckpointing } from './checkpoint/podman-checkpointing.ts';
import { PODMAN } from './descriptor.ts';
import { copiesHostNames, hasInit } from './host-settings.ts';
import { launchPodman } from './launch.ts';
import { whyNotShared } from './memory-sharing.ts';
import { createPodmanRuntime } from './podman-runtime.ts';

const RELOAD_MS = 30_000;

/** By the program, since Podman's API has no such call; it finds the service's containers in the host's storage. */
async function reloadNetwork(container: string): Promise<void> {
  await promisify(execFile)('podman', ['network', 'reload', container], { timeout: RELOAD_MS });
}

export const behaviour = dockerApiEngine(PODMAN, {
  createRuntime: createPodmanRuntime,
  createCheckpointing: createPodmanCheckpointing,
  stranger: (headers) => (isLibpod(headers) ? undefined : 'not Podman'),
  whyNotShared,
  shortcomings: () => [
    ...(hasInit()
      ? []
      : [
          {
            what: 'init',
            seen: 'Podman has none, so processes that an app leaves behind stay until they fill limits.pids',
            remedy: 'Install catatonit (`scripts/setup.sh` does).',
          },
        ]),
    ...(copiesHostNames()
      ? [
          {
            what: 'host names',
            seen: "Podman copies this host's /etc/hosts into instances, which so learn its names",
            remedy:
              'Set `base_hosts_file = "none"` in a file in /etc/containers/containers.conf.d (`scripts/setup.sh` ' +
              "does), and restart Podman's service.",
          },
        ]
      : []),
  ],
  reconnect: reloadNetwork,
  launch: { program: 'podman', needsRoot: true, start: launchPodman },
});
