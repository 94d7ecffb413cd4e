import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ChildServer, findProgram } from '../../launcher/child-server.ts';
import { engineAnswers } from '../../launcher/engine-socket.ts';
import { withMark } from '../../launcher/host-marks.ts';

const run = promisify(execFile);

export interface LaunchedDocker extends AsyncDisposable {
  readonly socketPath: string;
  readonly server: ChildServer;
}

/** What dockerd adds to the host's tables and leaves there when it ends. */
const TABLES = ['filter', 'nat'] as const;
type Table = (typeof TABLES)[number];
const DOCKER_CHAIN = /^-N (DOCKER\S*)$/;
/** Every dockerd makes these chains again when it starts, all by the same names. */
const TABLES_MARK = 'docker-tables';

/**
 * A dockerd of its own under `dir`, beside any other that the host runs: own images, containers, socket, and no default
 * bridge. Images do not outlive `dir`. Containers do not outlive it either: dockerd kills them when it stops. Several
 * may be launched and disposed of at once, by this process and by others: they take turns at the host's tables, and the
 * last one removes the chains that came with them.
 */
export async function launchDocker({ dir }: { readonly dir: string }): Promise<LaunchedDocker> {
  await mkdir(dir, { recursive: true });
  return withMark(TABLES_MARK, () => launch(dir));
}

async function launch(dir: string): Promise<LaunchedDocker> {
  // The chains that are there are taken for the host's own unless another dockerd runs that they may belong to.
  const kept = (await aDockerdRuns()) ? [] : await Promise.all(TABLES.map((table) => listRules(table)));
  const forwarded = await forwardPolicy();
  const socketPath = join(dir, 'docker.sock');
  const server = await startDockerd(dir, socketPath);
  const closedForwarding = forwarded === 'ACCEPT' && (await forwardPolicy()) === 'DROP';
  const stop = async (): Promise<void> => {
    await server.stop();
    await endShims(dir);
    await withMark(TABLES_MARK, async () => {
      if (closedForwarding) await iptables('-P', 'FORWARD', 'ACCEPT');
      if (await aDockerdRuns()) return;
      for (const [index, table] of TABLES.entries()) await removeChains(table, kept[index] ?? []);
    });
  };
  return { socketPath, server, [Symbol.asyncDispose]: stop };
}

async function startDockerd(dir: string, socketPath: string): Promise<ChildServer> {
  return ChildServer.start({
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
      ...sandboxes(),
    ],
    isUp: () => engineAnswers(socketPath),
  });
}

/** As set-up has told Podman, whose settings are the host's. */
function sandboxes(): string[] {
  const program = findProgram('try-it-now-runsc');
  return program === undefined ? [] : ['--add-runtime', `runsc=${program}`];
}

/** Anybody's that uses these tables; one that ends while it is looked at is not counted. */
async function aDockerdRuns(): Promise<boolean> {
  const here = await readlink('/proc/self/ns/net');
  const found = await Promise.all(
    (await readdir('/proc'))
      .filter((entry) => /^\d+$/.test(entry))
      .map(async (pid) => {
        if ((await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')) !== 'dockerd\n') return false;
        return (await readlink(`/proc/${pid}/ns/net`).catch(() => here)) === here;
      }),
  );
  return found.includes(true);
}

/** One that was just starting, or ending, may outlive dockerd, with no container and nobody to end it. */
async function endShims(dir: string): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const [program = '', ...args] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (!/(?:^|\/)containerd-shim-runc-v2$/.test(program) || !args.some((arg) => arg.startsWith(`${dir}/`))) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}

async function iptables(...args: readonly string[]): Promise<string> {
  return (await run(findProgram('iptables') ?? 'iptables', ['-w', '10', ...args])).stdout;
}

async function listRules(table: Table): Promise<string[]> {
  return (await iptables('-t', table, '-S')).split('\n').filter((line) => line !== '');
}

async function forwardPolicy(): Promise<string | undefined> {
  return (await listRules('filter')).map((line) => /^-P FORWARD (\S+)$/.exec(line)?.[1]).find(Boolean);
}

/** Removes the chains that came with a dockerd, none of which runs any more; a host that had them before keeps them. */
async function removeChains(table: Table, kept: readonly string[]): Promise<void> {
  const added = (await listRules(table)).filter((line) => !kept.includes(line));
  const chains = added.map((line) => DOCKER_CHAIN.exec(line)?.[1]).filter((chain) => chain !== undefined);
  for (const line of added) {
    const jump = /^-A (\S+) .*-j (\S+)$/.exec(line);
    if (jump !== null && !chains.includes(jump[1] ?? '') && chains.includes(jump[2] ?? ''))
      await iptables('-t', table, '-D', ...line.split(' ').slice(1));
  }
  for (const chain of chains) await iptables('-t', table, '-F', chain);
  for (const chain of chains) await iptables('-t', table, '-X', chain);
}
