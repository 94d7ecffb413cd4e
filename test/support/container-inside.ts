import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type Dockerode from 'dockerode';

const run = promisify(execFile);

const OPEN_PAGE = `
use IO::Socket::IP;
my ($host, $port) = @ARGV;
alarm 4;
my $page = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port, GetAddrInfoFlags => Socket::AI_NUMERICHOST);
exit 1 unless $page;
print $page "GET / HTTP/1.0\\r\\n\\r\\n";
exit(defined readline($page) ? 0 : 1);
`;

/**
 * A command that ends with 0 when a web server answers there, and with another code after 4 s at the latest. In Perl,
 * since a static busybox crashes where its libc is not the host's, and a hundred starts of Node take a processor ten
 * seconds.
 */
export function openPage(address: string, port: number): [program: string, ...args: string[]] {
  return ['perl', '-e', OPEN_PAGE, address, String(port)];
}

const LOOK_UP = `
const { Resolver } = require('node:dns');
const resolver = new Resolver({ timeout: 2000, tries: 1 });
resolver.setServers([process.argv[2]]);
resolver.resolve4(process.argv[1], (_, addresses) => { console.log((addresses ?? []).join()); process.exit(0); });
`;

const LOOK_UP_FAILURE = `
const { Resolver } = require('node:dns');
const resolver = new Resolver({ timeout: 20_000, tries: 1 });
resolver.setServers([process.argv[2]]);
resolver.resolve4(process.argv[1], (error) => { console.log(error === null ? 'found' : error.code); process.exit(0); });
`;

/** A running container seen from its first process: what the app itself has and can reach. */
export class Inside {
  readonly pid: number;
  readonly address: string;

  private constructor(pid: number, address: string) {
    this.pid = pid;
    this.address = address;
  }

  static async of(docker: Dockerode, name: string): Promise<Inside> {
    const { State, NetworkSettings } = await docker.getContainer(name).inspect();
    const address = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? '';
    return new Inside(State.Pid, address);
  }

  async file(path: string): Promise<string> {
    return readFile(`/proc/${this.pid}/root${path}`, 'utf8');
  }

  async proc(name: string): Promise<string> {
    return readFile(`/proc/${this.pid}/${name}`, 'utf8');
  }

  /** One limit of the container's control group, whichever version the host has. */
  async cgroup(v1: readonly [controller: string, file: string], v2: string): Promise<string> {
    const [controller, file] = v1;
    for (const line of (await this.proc('cgroup')).split('\n')) {
      const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      if (controllers.split(',').includes(controller))
        return (await readFile(`/sys/fs/cgroup/${controller}${path}/${file}`, 'utf8')).trim();
    }
    const [, path = ''] = /^0::(.*)$/m.exec(await this.proc('cgroup')) ?? [];
    return (await readFile(`/sys/fs/cgroup${path}/${v2}`, 'utf8')).trim();
  }

  /** In the container's network, with a program of the host. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    return (await run('nsenter', ['-t', String(this.pid), '-n', program, ...args])).stdout;
  }

  /** Whether a web server answers there; a packet that is dropped counts as no after 4 s. */
  async reaches(address: string, port: number): Promise<boolean> {
    return this.run(...openPage(address, port)).then(
      () => true,
      () => false,
    );
  }

  /** The host's address on this network. */
  async gateway(): Promise<string> {
    return /default via (\S+)/.exec(await this.run('ip', 'route'))?.[1] ?? '';
  }

  /** The host's end of this network. */
  async bridge(): Promise<string> {
    const gateway = await this.gateway();
    const { stdout } = await run('ip', ['-o', '-4', 'address']);
    return new RegExp(`^\\d+: (\\S+)\\s+inet ${gateway}/`, 'm').exec(stdout)?.[1] ?? '';
  }

  /** Switches IPv6 on where an engine has switched it off, inside and on the host's end. */
  async forceIpv6(): Promise<void> {
    await this.run('sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6');
    await writeFile(`/proc/sys/net/ipv6/conf/${await this.bridge()}/disable_ipv6`, '0');
  }

  /** As this container must write it to reach the other end. */
  async linkLocal(): Promise<string> {
    return linkLocalIn(await this.run('ip', '-6', '-o', 'address', 'show', 'dev', 'eth0'));
  }

  async bridgeLinkLocal(): Promise<string> {
    return linkLocalIn((await run('ip', ['-6', '-o', 'address', 'show', 'dev', await this.bridge()])).stdout);
  }

  /** Where none is named, programs ask their own host. */
  async nameServer(): Promise<string> {
    return /^nameserver (\S+)/m.exec(await this.file('/etc/resolv.conf'))?.[1] ?? '127.0.0.1';
  }

  /** How a look-up of a name that does not exist ends there, be it `ETIMEOUT` after 20 s. */
  async lookUpFailure(): Promise<string> {
    return (await this.run(process.execPath, '-e', LOOK_UP_FAILURE, 'nobody.example', await this.nameServer())).trim();
  }

  /** Processes that ended and that nobody waited for. */
  async zombies(): Promise<number> {
    const children = (await this.proc(`task/${this.pid}/children`)).trim().split(' ').filter(Boolean);
    const states = await Promise.all(children.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone')));
    return states.filter((state) => / Z /.test(state)).length;
  }

  /** The addresses the name server gave; none when it does not answer within 2 s. */
  async lookUp(name: string, server: string): Promise<string> {
    return this.run(process.execPath, '-e', LOOK_UP, name, server);
  }
}

function linkLocalIn(addresses: string): string {
  const [, address] = /inet6 (fe80:\S+)\/64/.exec(addresses) ?? [];
  // The kernel first asks around for a second's time whether somebody else has it, and does not use it meanwhile.
  if (address === undefined || addresses.includes('tentative'))
    throw new Error(`no usable link-local address in: ${addresses}`);
  return `${address}%eth0`;
}
