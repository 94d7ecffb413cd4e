import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdir, readFile, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ChildServer, type ChildServerSpec } from '../../src/launcher/child-server.ts';
import { takeMark } from '../../src/launcher/host-marks.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';

const run = promisify(execFile);

/** Networks that hosts of one test are on: 10.77.<n>.0/24. No other process on this machine has it meanwhile. */
const NETWORKS = 256;
/** What this machine itself is on each, so that a test reaches its hosts; none of them. */
const OWN_NUMBER = 254;
const BRIDGE = 'switch';
const UPLINK = 'eth0';

/**
 * PID 1 of a host: network, processes, host name and mounts of its own. /run, /dev/shm (where Podman has its locks),
 * the container storage and the networks of the engine are the host's own; the rest of the file system is this
 * machine's. Bash takes in orphans.
 */
const BOOT = `
set -e
folder=$1
hostname "$2"
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/lock /run/podman /etc/containers/networks /var/lib/containers
mount --bind "$folder/containers" /var/lib/containers
mount --bind "$folder/networks" /etc/containers/networks
mount --rbind /sys/fs/cgroup "$folder/cgroup"
mount -t sysfs sysfs /sys
mount --move "$folder/cgroup" /sys/fs/cgroup
mount -t proc proc /proc
ip link set lo up
echo booted
sleep infinity & wait
`;

/** A network, and machines on it; see `startHosts`. */
export interface TestHosts extends AsyncDisposable {
  readonly hosts: readonly TestHost[];
  /** All addresses of the network, as a CIDR block. */
  readonly block: string;
  /** Of this machine on it. */
  readonly ownAddress: string;
}

/**
 * So many machines on one network of their own: network namespaces on a bridge, which nothing else leads to. All of it
 * is gone when disposed of, and when this process dies: the kernel ends PID 1 of each, and everything in it with that.
 */
export async function startHosts(names: readonly string[]): Promise<TestHosts> {
  const cleanups = new Cleanups('the test hosts');
  try {
    const { n, mark } = await eventually(ownNumber);
    cleanups.push(() => mark[Symbol.asyncDispose]());
    const folder = await ownFolder(cleanups, 'tin-hosts-');
    const hub = await startHub(n, cleanups);
    const hosts = await Promise.all(
      names.map(async (name, index) => {
        const host = new TestHost(name, `10.77.${n}.${index + 1}`, join(folder, name), hub);
        cleanups.push(() => host.powerOff());
        await host.powerOn();
        return host;
      }),
    );
    return {
      hosts,
      block: `10.77.${n}.0/24`,
      ownAddress: `10.77.${n}.${OWN_NUMBER}`,
      [Symbol.asyncDispose]: () => cleanups[Symbol.asyncDispose](),
    };
  } catch (error) {
    await cleanups[Symbol.asyncDispose]();
    throw error;
  }
}

async function ownNumber(): Promise<{ readonly n: number; readonly mark: AsyncDisposable }> {
  const n = randomInt(0, NETWORKS);
  const mark = await takeMark(`test-hosts-${n}`);
  if (mark === undefined) throw new Error(`the network 10.77.${n}.0/24 is another test's`);
  return { n, mark };
}

/** The namespace with the bridge; returns its process. */
async function startHub(n: number, cleanups: Cleanups): Promise<number> {
  const hub = await ChildServer.start({
    name: 'the switch',
    command: 'unshare',
    args: [
      '--net',
      'bash',
      '-c',
      `ip link add ${BRIDGE} type bridge; ip link set ${BRIDGE} up; echo up; exec sleep inf`,
    ],
    saysUp: 'up',
  });
  cleanups.push(() => hub.stop());
  const pid = await readyPid(hub);
  const own = `tin-hosts-${n}`;
  await run('ip', ['link', 'add', own, 'type', 'veth', 'peer', 'name', 'test', 'netns', String(pid)]);
  cleanups.push(() => run('ip', ['link', 'del', own]).catch(() => undefined));
  await inNetwork(pid, ['ip', 'link', 'set', 'test', 'master', BRIDGE, 'up']);
  await run('ip', ['address', 'add', `10.77.${n}.${OWN_NUMBER}/24`, 'dev', own]);
  await run('ip', ['link', 'set', own, 'up']);
  return pid;
}

/** setpriv and unshare become what they start: the process stays the same. */
async function readyPid(server: ChildServer): Promise<number> {
  if (server.pid === undefined) throw new Error(`${server.name} has no process`);
  return Promise.resolve(server.pid);
}

async function inNetwork(pid: number, [command = '', ...args]: readonly string[]): Promise<string> {
  return (await run('nsenter', ['-t', String(pid), '-n', '--', command, ...args])).stdout;
}

/** What cannot pass: everything, or with `port` what goes to that TCP port there. */
export interface Severance {
  readonly address: string;
  readonly port?: number;
}

/** A machine of a test, which can be powered off, unplugged and hung. */
export class TestHost {
  readonly name: string;
  readonly address: string;
  /** Of this machine's file system, which the host sees too. */
  readonly folder: string;
  readonly #hub: number;
  #power: ChildServer | undefined;
  #init: number | undefined;

  constructor(name: string, address: string, folder: string, hub: number) {
    this.name = name;
    this.address = address;
    this.folder = folder;
    this.#hub = hub;
  }

  get isOn(): boolean {
    return this.#init !== undefined;
  }

  /** With an empty /run, and what is in its storage as it was. Nothing of what ran before is started. */
  async powerOn(): Promise<void> {
    for (const each of ['containers', 'networks', 'cgroup', 'state'])
      await mkdir(join(this.folder, each), { recursive: true });
    const power = await ChildServer.start({
      name: this.name,
      command: 'unshare',
      args: [
        '--net',
        '--mount',
        '--pid',
        '--uts',
        '--fork',
        '--kill-child',
        'bash',
        '-c',
        BOOT,
        'boot',
        this.folder,
        this.name,
      ],
      saysUp: 'booted',
    });
    this.#power = power;
    this.#init = await childOf(power);
    const link = this.#link();
    await run('nsenter', [
      '-t',
      String(this.#hub),
      '-n',
      '--',
      'ip',
      'link',
      'add',
      link,
      'type',
      'veth',
      'peer',
      'name',
      UPLINK,
      'netns',
      String(this.#init),
    ]);
    await this.run('ip', 'address', 'add', `${this.address}/24`, 'dev', UPLINK);
    await this.run('ip', 'link', 'set', UPLINK, 'up');
    await inNetwork(this.#hub, ['ip', 'link', 'set', link, 'master', BRIDGE, 'up']);
  }

  /** As pulling its plug: every process on it dies at once, containers too. Idempotent. */
  async powerOff(): Promise<void> {
    if (this.#init === undefined) return;
    process.kill(this.#init, 'SIGKILL');
    this.#init = undefined;
    await this.#power?.exited;
    await inNetwork(this.#hub, ['ip', 'link', 'del', this.#link()]).catch(() => undefined);
    await this.#removeControlGroups();
  }

  /** Its cable is out: what runs on it goes on and reaches nobody. */
  async unplug(): Promise<void> {
    await inNetwork(this.#hub, ['ip', 'link', 'set', this.#link(), 'down']);
  }

  async plugIn(): Promise<void> {
    await inNetwork(this.#hub, ['ip', 'link', 'set', this.#link(), 'up']);
  }

  /** From now on neither passes to the other, in silence. */
  async sever(from: Severance): Promise<void> {
    for (const rule of severing(from)) await this.run('iptables', '-w', '10', '-t', 'raw', '-I', ...rule);
  }

  /** Undoes `sever`. */
  async rejoin(from: Severance): Promise<void> {
    for (const rule of severing(from)) await this.run('iptables', '-w', '10', '-t', 'raw', '-D', ...rule);
  }

  /** From now on its cable lets nothing through to or from these TCP ports, of whichever side, in silence. */
  async block(ports: readonly number[]): Promise<void> {
    for (const rule of blocking(ports)) await this.run('iptables', '-w', '10', '-t', 'raw', '-I', ...rule);
  }

  /** Undoes `block`. */
  async unblock(ports: readonly number[]): Promise<void> {
    for (const rule of blocking(ports)) await this.run('iptables', '-w', '10', '-t', 'raw', '-D', ...rule);
  }

  /** All of its processes stop where they are, and keep their connections. */
  async hang(): Promise<void> {
    await this.#signalAll('STOP');
  }

  async wake(): Promise<void> {
    await this.#signalAll('CONT');
  }

  /** Runs a program on it to its end; what it wrote to its standard output. Rejects unless it ends with 0. */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    return (await run('nsenter', [...this.#enter(), command, ...args], { maxBuffer: 64 * 1024 * 1024 })).stdout;
  }

  /** Starts a server on it. */
  async start(spec: ChildServerSpec): Promise<HostServer> {
    // Closes what hangs behind: the program gets a signal when nsenter, which stands for it here, dies.
    const args = [...this.#enter(), 'setpriv', '--pdeathsig', 'KILL', spec.command, ...spec.args];
    const child = await ChildServer.start({ ...spec, name: `${spec.name} on ${this.name}`, command: 'nsenter', args });
    return new HostServer(child, await childOf(child));
  }

  #enter(): string[] {
    if (this.#init === undefined) throw new Error(`${this.name} is off`);
    return ['-t', String(this.#init), '-n', '-m', '-p', '-u', '--'];
  }

  #link(): string {
    return `to-${this.name}`;
  }

  async #signalAll(signal: string): Promise<void> {
    // -1: all of its process namespace but PID 1 and the shell itself.
    await this.run('sh', '-c', `kill -${signal} -1`);
  }

  /** A reboot would take them along. Named by the containers' ids, since all hosts share the tree. */
  async #removeControlGroups(): Promise<void> {
    const storage = join(this.folder, 'containers/storage/overlay-containers');
    const ids = (await readdir(storage).catch(() => [])).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const trees = (await readdir('/sys/fs/cgroup')).map((tree) => join('/sys/fs/cgroup', tree, 'libpod_parent'));
    for (const id of ids)
      for (const tree of ['/sys/fs/cgroup/libpod_parent', ...trees]) await removeTree(join(tree, `libpod-${id}`));
  }
}

/** Folders alone: files of a control group go with it. */
async function removeTree(folder: string): Promise<void> {
  const inside = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const each of inside) if (each.isDirectory()) await removeTree(join(folder, each.name));
  await rmdir(folder).catch(() => undefined);
}

function severing({ address, port }: Severance): string[][] {
  const at = (flag: string): string[] => (port === undefined ? [] : ['-p', 'tcp', flag, String(port)]);
  return [
    ['PREROUTING', '-s', address, ...at('--sport'), '-j', 'DROP'],
    ['OUTPUT', '-d', address, ...at('--dport'), '-j', 'DROP'],
  ];
}

function blocking(ports: readonly number[]): string[][] {
  const which = ['-p', 'tcp', '-m', 'multiport', '--ports', ports.join(), '-j', 'DROP'];
  return [
    ['PREROUTING', '-i', UPLINK, ...which],
    ['OUTPUT', '-o', UPLINK, ...which],
  ];
}

/** A program on a test host. */
export class HostServer implements AsyncDisposable {
  readonly #child: ChildServer;
  /** As this machine counts processes. */
  readonly pid: number;

  constructor(child: ChildServer, pid: number) {
    this.#child = child;
    this.pid = pid;
  }

  get alive(): boolean {
    return this.#child.alive;
  }

  get exited(): Promise<string> {
    return this.#child.exited;
  }

  /** The last lines it wrote. */
  tail(lines?: number): string {
    return this.#child.tail(lines);
  }

  async kill(): Promise<void> {
    if (this.alive) process.kill(this.pid, 'SIGKILL');
    await this.exited;
  }

  hang(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  /** Idempotent. */
  wake(): void {
    if (!this.alive) return;
    // nsenter stops along with it.
    this.#child.signal('SIGCONT');
    process.kill(this.pid, 'SIGCONT');
  }

  /** As an operator stops it. */
  async stop(): Promise<void> {
    if (this.alive) process.kill(this.pid, 'SIGTERM');
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Of unshare and nsenter, which fork into a process namespace. */
async function childOf(server: ChildServer): Promise<number> {
  const { pid } = server;
  return eventually(async () => {
    const children = await readFile(`/proc/${pid ?? 0}/task/${pid ?? 0}/children`, 'utf8');
    const child = Number(children.trim().split(' ')[0]);
    if (!(child > 0)) throw new Error(`${server.name} has no process`);
    return child;
  });
}
