import { rename, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sleep } from '../../../src/lifecycle/sleep.ts';
import { startBalancedServers, type BalancedServers } from '../../support/balanced-servers.ts';
import { Cleanups, ownFolder } from '../../support/deployment.ts';
import { eventually } from '../../support/eventually.ts';
import { PatientCrowd, type HandedOut } from '../../support/patient-crowd.ts';
import { discrepanciesSoFar } from '../../support/state-audit.ts';
import type { Version } from './versions.ts';

type Program = Pick<Version, 'title' | 'main'>;

/** What visitors saw while the processes were of these versions. */
export interface Phase {
  readonly what: string;
  readonly handedOut: number;
  readonly repeated: number;
}

interface UpgradeOptions {
  readonly old: Program;
  readonly fresh: Program;
  /** How long each mixture is kept. */
  readonly holdMs: number;
  /** Workers before servers, and on the way back after them. */
  readonly workersFirst: boolean;
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly phases: readonly Phase[];
  /** What is not as it should be, in words. */
  readonly problems: readonly string[];
}

const SERVERS = 2;
const TARGET = 40;
const PATIENT = { timeoutMs: 120_000 };
/** Of two visits an hour long: nobody's ends by itself meanwhile. */
const TTL = { default: '1h', max: '2h' };

/** Where each process's program is installed: replaced in one step, as a service manager's host has it. */
class Installations {
  readonly #dir: string;
  #made = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  programOf(name: string): string {
    return join(this.#dir, name, 'dist', 'main.js');
  }

  async install(name: string, { main }: Program): Promise<void> {
    this.#made += 1;
    const fresh = join(this.#dir, `${name}.${this.#made}`);
    await symlink(dirname(dirname(main)), fresh);
    await rename(fresh, join(this.#dir, name));
  }
}

/** Old, mixed, new, and back again, under load that does not wait for anybody. */
export class UpgradeDrill {
  readonly #installations: Installations;
  readonly #world: BalancedServers;
  readonly #crowd: PatientCrowd;
  readonly #holdMs: number;
  readonly #workersFirst: boolean;
  readonly #say: (line: string) => void;
  readonly #phases: Phase[] = [];

  private constructor(
    installations: Installations,
    world: BalancedServers,
    { holdMs, workersFirst, say }: Omit<UpgradeOptions, 'old' | 'fresh'>,
  ) {
    this.#installations = installations;
    this.#world = world;
    this.#crowd = new PatientCrowd(world);
    this.#holdMs = holdMs;
    this.#workersFirst = workersFirst;
    this.#say = say;
  }

  static async play(options: UpgradeOptions): Promise<Outcome> {
    const { old, fresh } = options;
    await using cleanups = new Cleanups('the upgrade');
    const installations = new Installations(await ownFolder(cleanups, 'tin-upgrade-'));
    for (const name of NAMES) await installations.install(name, old);
    const world = await startBalancedServers({
      servers: SERVERS,
      ports: 300,
      furtherNode: true,
      program: (name) => installations.programOf(name),
      templates: [{ name: 'hello', image: 'localhost/unused', port: 80, pool: { target: TARGET, max: 150 }, ttl: TTL }],
      env: {
        CONTAINER_PORT_COOLDOWN: '10s',
        HELD_LIMIT: '0',
        HELD_LIMIT_NETWORK: '0',
        GATE_MODE: 'off',
        SHUTDOWN_DRAIN: '2s',
      },
    });
    cleanups.push(() => world[Symbol.asyncDispose]());
    return await new UpgradeDrill(installations, world, options).#play(old, fresh);
  }

  async #play(old: Program, fresh: Program): Promise<Outcome> {
    const residents = await Promise.all(Array.from({ length: 2 }, () => this.#settle()));
    const over = new AbortController();
    const browsing = residents.map((resident) => this.#crowd.browse(resident, over.signal));
    const coming = this.#crowd.come();
    try {
      await this.#replaceAndBack(old, fresh);
    } finally {
      this.#crowd.stop();
      await coming;
      over.abort();
    }
    const unseen = (await Promise.all(browsing)).flatMap((failures, at) =>
      failures.length === 0 ? [] : [`the page of resident ${at} failed ${failures.length} times: ${failures[0] ?? ''}`],
    );
    return { phases: this.#phases, problems: [...this.#crowd.lost, ...unseen, ...(await this.#disorder())] };
  }

  async #replaceAndBack(old: Program, fresh: Program): Promise<void> {
    await this.#phase('all old', () => Promise.resolve());
    const servers = Array.from({ length: SERVERS }, (_, at) => `server${at}`);
    const order = this.#workersFirst ? ['worker', ...servers] : [...servers, 'worker'];
    const forth = ['discovery', ...order];
    for (const name of forth) await this.#phase(`${name} new`, () => this.#renew(name, fresh));
    for (const name of forth.reverse()) await this.#phase(`${name} old again`, () => this.#renew(name, old));
  }

  async #settle(): Promise<HandedOut> {
    return eventually(async () => {
      const instance = await this.#crowd.acquire();
      if (instance === undefined) throw new Error('a resident got no instance');
      return instance;
    }, PATIENT);
  }

  async #phase(what: string, change: () => Promise<void>): Promise<void> {
    const before = { handedOut: this.#crowd.handedOut.size, repeated: this.#crowd.repeated };
    await change();
    await sleep(this.#holdMs);
    const phase = {
      what,
      handedOut: this.#crowd.handedOut.size - before.handedOut,
      repeated: this.#crowd.repeated - before.repeated,
    };
    this.#phases.push(phase);
    this.#say(
      `${what}: ${phase.handedOut} handed out, ${phase.repeated} asked twice; lost: ${this.#crowd.lost.length}`,
    );
  }

  async #renew(name: string, program: Program): Promise<void> {
    if (name === 'discovery') {
      await this.#renewDiscovery(program);
      return;
    }
    const { servers, worker } = this.#world;
    const service = name === 'worker' ? worker : servers[Number(name.slice('server'.length))];
    if (service === undefined) throw new Error(`there is no ${name}`);
    await this.#installations.install(name, program);
    const code = await service.stop();
    if (code !== 0) throw new Error(`${name} ended with ${String(code)}: ${service.output.slice(-2_000)}`);
    await service.start();
  }

  /** Its socket holds the questions until the other one answers. */
  async #renewDiscovery(program: Program): Promise<void> {
    const before = this.#world.discovery.pid();
    await this.#installations.install('discovery', program);
    process.kill(before, 'SIGTERM');
    await eventually(() => {
      if (this.#world.discovery.pid() === before) throw new Error('discovery has not been started again');
    }, PATIENT);
  }

  async #disorder(): Promise<readonly string[]> {
    let found: readonly string[] = [];
    await eventually(async () => {
      found = await discrepanciesSoFar(this.#world.auditTarget);
      if (found.length > 0) throw new Error(found.join('\n'));
    }, PATIENT).catch(() => undefined);
    return found;
  }
}

const NAMES: readonly string[] = ['discovery', 'worker', ...Array.from({ length: SERVERS }, (_, at) => `server${at}`)];
