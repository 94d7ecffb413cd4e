import type { ContainerEngine } from '../engine.ts';

export const PODMAN = {
  name: 'podman',
  title: 'Podman',
  runsContainers: true,
  restoresCheckpoints: true,
  // Its rules lead straight to the app.
  relaysPorts: false,
  bridgesStay: false,
  socket: {
    variable: 'PODMAN_SOCKET',
    default: '/run/podman/podman.sock',
    about: 'The socket of the Podman service.',
  },
  unit: 'try-it-now-podman',
  imageTool: { program: 'podman', socketVariable: undefined, perUser: true },
  poorRuntimes: {
    crun: {
      seen: "crun: Debian's cannot restore checkpoints",
      remedy:
        'Install runc and name it in containers.conf (`[engine] runtime = "runc"`), then restart Podman\'s service.',
    },
  },
} as const satisfies ContainerEngine;
