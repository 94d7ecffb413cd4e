import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';

export interface PrometheusOptions {
  /** Its own; anyone who made it removes it. */
  readonly dir: string;
  /** host:port, by the name of the job. */
  readonly targets: Readonly<Record<string, string>>;
  readonly rules: string;
}

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** A real one, which looks every second. */
export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #server: ChildServer;

  private constructor(url: string, server: ChildServer) {
    this.url = url;
    this.#server = server;
  }

  static async launch({ dir, targets, rules }: PrometheusOptions): Promise<Prometheus> {
    await mkdir(dir, { recursive: true });
    const config = join(dir, 'prometheus.yml');
    await writeFile(join(dir, 'rules.yaml'), rules);
    await writeFile(
      config,
      stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: ['rules.yaml'],
        scrape_configs: Object.entries(targets).map(([job, target]) => ({
          job_name: job,
          static_configs: [{ targets: [target] }],
        })),
      }),
    );
    const address = `127.0.0.1:${await freePort()}`;
    const server = await ChildServer.start({
      name: 'Prometheus',
      command: 'prometheus',
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=warn',
      ],
      isUp: async () => (await fetch(`http://${address}/-/ready`)).ok,
    });
    return new Prometheus(`http://${address}`, server);
  }

  /** The values of an instant query. Throws with Prometheus' own words when it does not understand it. */
  async values(query: string): Promise<number[]> {
    const { result } = await this.#get<{ result: readonly { readonly value: readonly [number, string] }[] }>(
      `query?${new URLSearchParams({ query }).toString()}`,
    );
    return result.map(({ value: [, text] }) => Number(text));
  }

  async alerts(): Promise<readonly Alert[]> {
    return (await this.#get<{ alerts: readonly Alert[] }>('alerts')).alerts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
  }

  async #get<T>(path: string): Promise<T> {
    const answer = (await (await fetch(`${this.url}/api/v1/${path}`)).json()) as {
      readonly data: T;
      readonly error?: string;
    };
    if (answer.error !== undefined) throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }
}
