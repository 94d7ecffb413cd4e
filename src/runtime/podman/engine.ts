import { dockerApiEngine } from '../docker/docker-api-engine.ts';
import { isLibpod } from '../docker/probe.ts';
import { createPodmanCheckpointing } from './checkpoint/podman-checkpointing.ts';
import { PODMAN } from './descriptor.ts';
import { copiesHostNames, hasInit } from './host-settings.ts';
import { launchPodman } from './launch.ts';
import { createPodmanRuntime } from './podman-runtime.ts';

export const behaviour = dockerApiEngine(PODMAN, {
  createRuntime: createPodmanRuntime,
  createCheckpointing: createPodmanCheckpointing,
  stranger: (headers) => (isLibpod(headers) ? undefined : 'not Podman'),
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
  launch: { program: 'podman', start: launchPodman },
});
