import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ChildServer, findProgram } from '../../launcher/child-server.ts';
import { engineAnswers } from '../../launcher/engine-socket.ts';

export interface LaunchedPodman extends AsyncDisposable {
  readonly socketPath: string;
  readonly server: ChildServer;
}

/**
 * Podman's API service on a socket of its own, over the host's ordinary container storage. Containers do not end with
 * it: they have a parent of their own each, so their maker removes them first.
 */
export async function launchPodman(options: { readonly socketPath: string }): Promise<LaunchedPodman> {
  const { socketPath } = options;
  await mkdir(dirname(socketPath), { recursive: true });
  // One left by a killed service would keep the new one from listening.
  if (!(await engineAnswers(socketPath))) await rm(socketPath, { force: true });
  const server = await ChildServer.start({
    name: 'Podman',
    command: 'podman',
    args: [...hostFlags(), 'system', 'service', '--time=0', `unix://${socketPath}`],
    // Its helpers leave an empty file `oom` where it was started when a container runs out of memory.
    cwd: dirname(socketPath),
    isUp: () => engineAnswers(socketPath),
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(socketPath, { force: true });
  };
  return { socketPath, server, [Symbol.asyncDispose]: stop };
}

/**
 * runc, since Debian's crun has no CRIU support and refuses hybrid cgroup layouts; no systemd means no cgroup driver
 * and no journal of its.
 */
export function hostFlags(): string[] {
  const runc = findProgram('runc');
  return [
    ...(runc === undefined ? [] : ['--runtime', runc]),
    ...(existsSync('/run/systemd/system') ? [] : ['--cgroup-manager', 'cgroupfs', '--events-backend', 'file']),
  ];
}
