import type { ChildServerSpec } from '../../src/launcher/child-server.ts';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import type { HostServer, TestHost } from './test-hosts.ts';

/** How each says that it is up. A unit without an entry is up at once. */
const SAYS_UP: Readonly<Record<string, string>> = {
  'try-it-now-valkey': 'Ready to accept connections',
  'try-it-now-nats': 'Server is ready',
  'try-it-now-discovery': 'Discovery answers',
  'try-it-now-worker': 'Try It Now started',
  'try-it-now': 'Try It Now started',
};
const DIRECTORIES = { StateDirectory: '/var/lib', RuntimeDirectory: '/run' } as const;

/**
 * Runs the units that are installed on a host, since systemd runs on none of a test: their programs with their
 * environment, folders and credentials, and what drop-ins change of that. As root, without their restrictions.
 */
export class Units {
  readonly #host: TestHost;
  readonly #running = new Map<string, HostServer>();

  constructor(host: TestHost) {
    this.#host = host;
  }

  async start(...names: readonly string[]): Promise<void> {
    for (const name of names) this.#running.set(name, await this.#host.start(await this.#spec(name)));
  }

  async stop(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.#running.get(name)?.stop();
  }

  async restart(...names: readonly string[]): Promise<void> {
    await this.stop(...names);
    await this.start(...names);
  }

  /** As this machine counts processes. Throws for one that was never started. */
  pid(name: string): number {
    const found = this.#running.get(name);
    if (found === undefined) throw new Error(`${name} does not run on ${this.#host.name}`);
    return found.pid;
  }

  /** What they wrote last, for the message of a test that fails. */
  tails(): string {
    return [...this.#running]
      .map(([name, server]) => `--- ${name} on ${this.#host.name}\n${server.tail(8)}`)
      .join('\n');
  }

  async #spec(name: string): Promise<ChildServerSpec> {
    const unit = await this.#read(name);
    const saysUp = SAYS_UP[name];
    const socket = /unix:\/\/(\S+)/.exec(unit.get('ExecStart')?.at(-1) ?? '')?.[1];
    return {
      name,
      command: 'sh',
      args: ['-c', script(name, unit)],
      cleanEnv: true,
      linesKept: 200,
      ...(saysUp === undefined ? {} : { saysUp }),
      ...(socket === undefined
        ? {}
        : {
            isUp: async () => (await this.#host.run('curl', '-sS', '--unix-socket', socket, 'http://d/_ping')) === 'OK',
          }),
    };
  }

  /** Key → its values; an empty one takes back those before it. */
  async #read(name: string): Promise<ReadonlyMap<string, readonly string[]>> {
    const text = await this.#host.run(
      'sh',
      '-c',
      'cat "/usr/local/lib/systemd/system/$1.service"; cat "/etc/systemd/system/$1.service.d"/*.conf 2>/dev/null || :',
      'sh',
      name,
    );
    const found = new Map<string, string[]>();
    for (const line of text.split('\n')) {
      const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      if (key === undefined || value === undefined) continue;
      found.set(key, value === '' ? [] : [...(found.get(key) ?? []), value]);
    }
    return found;
  }
}

function script(name: string, unit: ReadonlyMap<string, readonly string[]>): string {
  const all = (key: string): readonly string[] => unit.get(key) ?? [];
  const words = (key: string): string[] => all(key).flatMap((value) => value.split(' '));
  const credentials = `/run/credentials/${name}`;
  const lines = [
    'set -e; umask 077',
    ...Object.entries(DIRECTORIES).flatMap(([key, base]) => words(key).map((folder) => `mkdir -p ${base}/${folder}`)),
    ...all('LoadCredential').map((each) => {
      const [id = '', from = ''] = each.split(':');
      return `mkdir -p ${credentials}; cp ${from} ${credentials}/${id}`;
    }),
    ...(all('LoadCredential').length === 0 ? [] : [`export CREDENTIALS_DIRECTORY=${credentials}`]),
    ...words('Environment').map((each) => `export ${each}`),
    // As deploy/try-it-now.sh reads it.
    ...all('EnvironmentFile').map(
      (file) => `while IFS= read -r l; do case $l in [A-Z]*=*) export "$l";; esac; done <${file}`,
    ),
    ...words('UnsetEnvironment').map((each) => `unset ${each}`),
    ...all('WorkingDirectory').map((folder) => `cd ${folder}`),
    // Podman's ways on a host without systemd.
    `exec ${all('ExecStart').at(-1) ?? 'false'}`.replace('/podman ', `/podman ${hostFlags().join(' ')} `),
  ];
  return lines.join('\n').replaceAll('%d', credentials);
}
