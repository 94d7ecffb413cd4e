import { eventually } from '../support/eventually.ts';
import { MAIN, partSpec, settings } from './fleet-parts.ts';
import { BOUGHT_IN, type Part, type Surroundings } from './surroundings.ts';
import type { HostServer, TestHost } from './test-hosts.ts';

/** As `RestartSec` in deploy/systemd. */
const RESTART_MS = 1_000;

/** One host with what runs there: each part can be killed, hung and started again by its name. */
export class FleetHost {
  readonly machine: TestHost;
  readonly parts: readonly Part[];
  readonly #running = new Map<Part, HostServer>();
  readonly #around: Surroundings;

  constructor(parts: readonly Part[], around: Surroundings) {
    this.machine = around.host;
    this.parts = parts;
    this.#around = around;
  }

  /** Throws for one that was never started. */
  part(part: Part): HostServer {
    const found = this.#running.get(part);
    if (found === undefined) throw new Error(`${part} does not run on ${this.machine.name}`);
    return found;
  }

  /** `under`: a program that starts it, with its arguments. */
  async startPart(part: Part, under: readonly string[] = []): Promise<void> {
    const spec = await partSpec(part, this.#around);
    const [command = spec.command, ...args] = [...under, spec.command, ...spec.args];
    this.#running.set(part, await this.machine.start({ ...spec, command, args }));
  }

  async startParts(parts: readonly Part[] = this.parts): Promise<void> {
    // Ours end where what they need is not there yet, as a cluster of NATS without a leader.
    for (const part of parts) await (BOUGHT_IN.includes(part) ? this.startPart(part) : this.restartPart(part));
  }

  /** As a service manager does, which tries again what does not start. */
  async restartPart(part: Part): Promise<void> {
    await eventually(() => this.startPart(part), { everyMs: RESTART_MS });
  }

  /** On again after its power was off, with everything that ran there. */
  async comeBack(): Promise<void> {
    await this.machine.powerOn();
    await Promise.all(this.parts.filter((part) => BOUGHT_IN.includes(part)).map((part) => this.restartPart(part)));
    await Promise.all(this.parts.filter((part) => !BOUGHT_IN.includes(part)).map((part) => this.restartPart(part)));
  }

  /** All of its processes stop where they are, and keep their connections. */
  async hang(): Promise<void> {
    await this.machine.hang();
  }

  async wake(): Promise<void> {
    await this.machine.wake();
    for (const server of this.#running.values()) server.wake();
  }

  /** Runs a command of ours there, with the settings of the host; what it printed. */
  async tryItNow(...args: readonly string[]): Promise<string> {
    const env = Object.entries(settings(this.#around)).map(([name, value]) => `${name}=${value}`);
    // Doctor ends with 1 when it finds something.
    return this.machine.run('sh', '-c', '"$@" || [ $? = 1 ]', 'sh', 'env', ...env, process.execPath, MAIN, ...args);
  }

  /** What its parts said last, for the message of a test that fails. */
  tails(lines = 8): string {
    return [...this.#running]
      .map(([part, server]) => `--- ${part} on ${this.machine.name}\n${server.tail(lines)}`)
      .join('\n');
  }
}
