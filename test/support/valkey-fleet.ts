import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import type { Endpoint } from '../../src/store/valkey-access.ts';

const HOST = '127.0.0.1';

/** What every Sentinel here calls the primary. */
export const MASTER = 'try-it-now';

export interface FleetServer extends Endpoint {
  readonly server: ChildServer;
}

/** Everything below one folder, which goes when the test is done, after all servers have ended. */
export class ValkeyFleet implements AsyncDisposable {
  readonly dir: string;
  readonly #servers: ChildServer[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async create(): Promise<ValkeyFleet> {
    return new ValkeyFleet(await mkdtemp(join(tmpdir(), 'tin-fleet-')));
  }

  async #folder(): Promise<string> {
    const dir = join(this.dir, `server-${this.#servers.length}`);
    await mkdir(dir);
    return dir;
  }

  async valkey(args: readonly string[] = []): Promise<FleetServer> {
    const port = await freePort();
    const { server } = await launchValkey({ dir: await this.#folder(), port, args });
    this.#servers.push(server);
    return { server, host: HOST, port };
  }

  /** One that decides alone and soon; `lines` of its configuration beside. */
  async sentinel(of: Endpoint, lines: readonly string[] = [], { downAfterMs = 500 } = {}): Promise<FleetServer> {
    const port = await freePort();
    const dir = await this.#folder();
    const config = join(dir, 'sentinel.conf');
    const own = lines.some((line) => line.startsWith('port ')) ? [] : [`port ${port}`];
    await writeFile(
      config,
      [
        ...own,
        `bind ${HOST}`,
        `dir ${dir}`,
        ...lines.map((line) => line.replaceAll('PORT', String(port))),
        `sentinel monitor ${MASTER} ${of.host} ${of.port} 1`,
        `sentinel down-after-milliseconds ${MASTER} ${downAfterMs}`,
        `sentinel failover-timeout ${MASTER} 5000`,
      ].join('\n'),
    );
    const server = await ChildServer.start({
      name: 'Sentinel',
      command: 'valkey-server',
      args: [config, '--sentinel'],
      cleanEnv: true,
      saysUp: '+monitor',
    });
    this.#servers.push(server);
    return { server, host: HOST, port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.#servers].reverse()) {
      server.signal('SIGCONT');
      await server.stop();
    }
    await rm(this.dir, { recursive: true, force: true });
  }
}
