import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { eventually } from './eventually.ts';
import { suspend } from './suspend.ts';

const WATCHED = fileURLToPath(new URL('../../deploy/nats/watched.sh', import.meta.url));

/** One server of a cluster; it comes back on the same ports with the same files. */
export class ClusterNode {
  readonly name: string;
  readonly port: number;
  readonly monitorUrl: string;
  readonly store: string;
  readonly #config: string;
  readonly #watched: boolean;
  #server: ChildServer | undefined;

  constructor(at: {
    readonly name: string;
    readonly port: number;
    readonly monitorPort: number;
    readonly store: string;
    readonly config: string;
    readonly watched: boolean;
  }) {
    this.name = at.name;
    this.port = at.port;
    this.monitorUrl = `http://127.0.0.1:${at.monitorPort}`;
    this.store = at.store;
    this.#config = at.config;
    this.#watched = at.watched;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get alive(): boolean {
    return this.#server?.alive === true;
  }

  get pid(): number | undefined {
    return this.#server?.pid;
  }

  /** Resolves once it takes clients; whether the cluster has come together is another question. */
  async start(): Promise<void> {
    this.#server = await ChildServer.start({
      name: this.name,
      ...(this.#watched
        ? {
            command: WATCHED,
            args: [this.monitorUrl.slice('http://'.length), this.store, 'nats-server', '-c', this.#config],
            env: { NATS_WATCH_EVERY: '1' },
          }
        : { command: 'nats-server', args: ['-c', this.#config] }),
      cleanEnv: true,
      saysUp: 'Server is ready',
    });
  }

  /** How it ended. */
  get exited(): Promise<string> | undefined {
    return this.#server?.exited;
  }

  tail(): string {
    return this.#server?.tail() ?? '';
  }

  /** Without a chance to say goodbye. */
  async kill(): Promise<void> {
    this.#server?.signal('SIGKILL');
    await this.#server?.exited;
  }

  async hang(): Promise<void> {
    await suspend({ pid: this.#server?.pid });
  }

  goOn(): void {
    this.#server?.signal('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.alive) this.goOn();
    await this.#server?.stop();
  }

  /** Whether what it holds of the streams is whole and current, as it says itself. */
  async isHealthy(): Promise<boolean> {
    return (await fetch(`${this.monitorUrl}/healthz`)).ok;
  }
}

/** Three servers of NATS, or as many as asked for, that are one. */
export class NatsCluster implements AsyncDisposable {
  readonly nodes: readonly ClusterNode[];
  readonly #dir: string;

  private constructor(nodes: readonly ClusterNode[], dir: string) {
    this.nodes = nodes;
    this.#dir = dir;
  }

  /** `watched` is run as shipped; `prepare` comes before the first start. */
  static async start(
    size = 3,
    {
      watched = false,
      prepare,
    }: { watched?: boolean; prepare?: (nodes: readonly ClusterNode[]) => Promise<void> } = {},
  ): Promise<NatsCluster> {
    const dir = await mkdtemp(join(tmpdir(), 'try-it-now-nats-cluster-'));
    const names = Array.from({ length: size }, (_, at) => `nats-${at}`);
    const routes = await Promise.all(names.map(() => freePort()));
    const nodes = await Promise.all(
      names.map(async (name, at) => {
        const [port, monitorPort] = [await freePort(), await freePort()];
        const config = join(dir, `${name}.conf`);
        await mkdir(join(dir, name));
        await writeFile(
          config,
          JSON.stringify({
            server_name: name,
            listen: `127.0.0.1:${port}`,
            http: `127.0.0.1:${monitorPort}`,
            jetstream: { store_dir: join(dir, name), max_file_store: 2 ** 30 },
            cluster: {
              name: 'try-it-now',
              listen: `127.0.0.1:${routes[at] ?? 0}`,
              routes: routes.map((route) => `nats-route://127.0.0.1:${route}`),
            },
          }),
        );
        return new ClusterNode({ name, port, monitorPort, store: join(dir, name), config, watched });
      }),
    );
    const cluster = new NatsCluster(nodes, dir);
    try {
      await prepare?.(nodes);
      await Promise.all(nodes.map((node) => node.start()));
      await cluster.healthy();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return this.nodes.map(({ url }) => url).join(',');
  }

  node(name: string): ClusterNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no server is called ${name}`);
    return found;
  }

  /** Until every server that runs has what the others have. */
  async healthy(): Promise<void> {
    await eventually(async () => {
      for (const node of this.nodes)
        if (node.alive && !(await node.isHealthy())) throw new Error(`${node.name} is not healthy`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await rm(this.#dir, { recursive: true, force: true });
  }
}
