import type { ContainerEngine } from '../engine.ts';

export const DOCKER = {
  name: 'docker',
  title: 'Docker',
  runsContainers: true,
  restoresCheckpoints: false,
  relaysPorts: true,
  bridgesStay: true,
  socket: { variable: 'DOCKER_SOCKET', default: '/var/run/docker.sock', about: 'The socket of the Docker daemon.' },
  unit: 'docker',
  imageTool: { program: 'docker', socketVariable: 'DOCKER_HOST', perUser: false },
  poorRuntimes: {},
} as const satisfies ContainerEngine;
