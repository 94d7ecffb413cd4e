import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ChildServer, findProgram } from '../../launcher/child-server.ts';
import { engineAnswers } from '../../launcher/engine-socket.ts';

const run = promisify(execFile);

export interface LaunchedDocker extends AsyncDisposable {
  readonly socketPath: string;
  readonly server: ChildServer;
}

/** What dockerd adds to the host's tables and leaves there when it ends. */
const TABLES = ['filter', 'nat'] as const;
const DOCKER_CHAIN = /^-N (DOCKER\S*)$/;

/**
 * A dockerd of its own under `dir`, beside any other that the host runs: own images, containers, socket, and no default
 * bridge. Images do not outlive `dir`. Containers do not outlive it either: dockerd kills them when it stops.
 */
export async function launchDocker(options: { readonly dir: string }): Promise<LaunchedDocker> {
  const { dir } = options;
  await mkdir(dir, { recursive: true });
  const socketPath = join(dir, 'docker.sock');
  const before = await Promise.all(TABLES.map((table) => listRules(table)));
  const server = await ChildServer.start({
    name: 'Docker',
    command: 'dockerd',
    args: [
      '--data-root',
      join(dir, 'data'),
      '--exec-root',
      join(dir, 'exec'),
      '--pidfile',
      join(dir, 'docker.pid'),
      '--host',
      `unix://${socketPath}`,
      '--bridge',
      'none',
      '--log-level',
      'warn',
    ],
    isUp: () => engineAnswers(socketPath),
    startTimeoutMs: 30_000,
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    for (const [index, table] of TABLES.entries()) await putBack(table, before[index] ?? []);
  };
  return { socketPath, server, [Symbol.asyncDispose]: stop };
}

async function iptables(...args: readonly string[]): Promise<string> {
  return (await run(findProgram('iptables') ?? 'iptables', ['-w', '10', ...args])).stdout;
}

async function listRules(table: string): Promise<string[]> {
  return (await iptables('-t', table, '-S')).split('\n').filter((line) => line !== '');
}

/**
 * Removes the chains that came with our dockerd, and the FORWARD policy it sets; a host that
 * had them before keeps them.
 */
async function putBack(table: string, before: readonly string[]): Promise<void> {
  const present = await listRules(table);
  const added = present.filter((line) => !before.includes(line));
  const chains = added.map((line) => DOCKER_CHAIN.exec(line)?.[1]).filter((chain) => chain !== undefined);
  for (const line of added) {
    const jump = /^-A (\S+) .*-j (\S+)$/.exec(line);
    if (jump !== null && !chains.includes(jump[1] ?? '') && chains.includes(jump[2] ?? ''))
      await iptables('-t', table, '-D', ...line.split(' ').slice(1));
  }
  for (const chain of chains) await iptables('-t', table, '-F', chain);
  for (const chain of chains) await iptables('-t', table, '-X', chain);
  if (table === 'filter' && added.includes('-P FORWARD DROP') && before.includes('-P FORWARD ACCEPT'))
    await iptables('-P', 'FORWARD', 'ACCEPT');
}
