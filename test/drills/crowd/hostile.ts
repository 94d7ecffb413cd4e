import { connect, type Socket } from 'node:net';
import type { Agent } from 'undici';
import { sleep } from '../../../src/lifecycle/sleep.ts';
import type { Attack } from './attacks.ts';
import { Visitor, type Acquired, type Asked, type Place } from './visitor.ts';

/** One visit of somebody hostile. */
export interface AttackVisit {
  readonly attack: string;
  readonly wanted: string | undefined;
  readonly beganAtMs: number;
  /** `left`: by themselves, when they had enough; `over`: when the crowd went. Else the reason in the record. */
  readonly ended: string;
  readonly afterMs: number;
}

export interface HostileOptions {
  readonly place: Place;
  readonly agent: Agent;
  readonly address: () => string;
  /** Each of them comes from another one every time. */
  readonly changing: boolean;
  /** Why the visit with this label ended, as recorded. */
  readonly reasonOf: (label: string) => Promise<string>;
}

const LOOK_MS = 1_000;
const AGAIN_MS = 10_000;
const RETRY_MS = 3_000;
const BURNER_ASKS_MS = 1_000;
/** How long a web server is given to begin what it is asked for; most do not answer before they have done it. */
const BEGIN_MS = 3_600_000;
const BURNERS_ADDRESS = '203.0.113.66';

/** Each attacks from an address of their own, is ended or leaves, and comes again; refused, they go on asking. */
export class HostileVisitors {
  readonly visits: AttackVisit[] = [];
  readonly acquires: Asked[] = [];
  readonly burnerAcquires: Asked[] = [];
  readonly #options: HostileOptions;

  constructor(options: HostileOptions) {
    this.#options = options;
  }

  /** Resolves when the last has left. */
  async come(attacks: readonly Attack[], poolBurners: number, over: AbortSignal): Promise<void> {
    const attackers = attacks.flatMap((attack) => Array.from({ length: attack.count }, () => attack));
    await Promise.all([
      ...attackers.map((attack, at) => this.#attacks(attack, at, over)),
      ...Array.from({ length: poolBurners }, () => this.#burns(over)),
    ]);
  }

  async #attacks(attack: Attack, at: number, over: AbortSignal): Promise<void> {
    const { place, agent, address, changing } = this.#options;
    const own = address();
    await sleep(at * LOOK_MS, over);
    while (!over.aborted) {
      const visitor = new Visitor(place, changing ? address() : own, agent);
      const { asked, acquired } = await visitor.acquire(attack.template);
      this.acquires.push(asked);
      if (acquired === undefined) {
        await sleep(RETRY_MS, over);
        continue;
      }
      this.visits.push(await this.#attack(attack, visitor, acquired, over));
      await sleep(AGAIN_MS, over);
    }
  }

  async #attack(attack: Attack, visitor: Visitor, acquired: Acquired, over: AbortSignal): Promise<AttackVisit> {
    const beganAtMs = performance.now();
    const hogs = this.#hog(acquired, attack.hogs ?? 0);
    // It breaks off with the container.
    if (attack.program !== undefined) void visitor.open(acquired, `/cgi-bin/${attack.program}`, BEGIN_MS);
    const ended = await this.#untilEnd(visitor, acquired, beganAtMs + attack.staysMs, over);
    for (const socket of hogs) socket.destroy();
    return { attack: attack.name, wanted: attack.ends, beganAtMs, ended, afterMs: performance.now() - beganAtMs };
  }

  async #untilEnd(visitor: Visitor, acquired: Acquired, leavesAtMs: number, over: AbortSignal): Promise<string> {
    while (await visitor.holds(acquired).catch(() => true)) {
      if (over.aborted || performance.now() > leavesAtMs) {
        await visitor.release(acquired).catch(() => undefined);
        return over.aborted ? 'over' : 'left';
      }
      await sleep(LOOK_MS, over);
    }
    return this.#options.reasonOf(acquired.host.split('.')[0] ?? '');
  }

  /** Half of them never finish their headers, the others never their body: those are the app's to wait for. */
  #hog({ host }: Acquired, count: number): Socket[] {
    return Array.from({ length: count }, (_, at) => {
      const socket = connect({ host: '127.0.0.1', port: this.#options.place.proxyPort });
      socket.on('error', () => undefined);
      const head = `POST /cgi-bin/env HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000000\r\n`;
      socket.write(at % 2 === 0 ? head : `${head}\r\n`);
      return socket;
    });
  }

  /** Wants all there is, from one address, and keeps it. */
  async #burns(over: AbortSignal): Promise<void> {
    const { place, agent } = this.#options;
    const visitor = new Visitor(place, BURNERS_ADDRESS, agent);
    const held: Acquired[] = [];
    while (!over.aborted) {
      const { asked, acquired } = await visitor.acquire('tiny', { solves: false });
      this.burnerAcquires.push(asked);
      if (acquired !== undefined) held.push(acquired);
      await sleep(BURNER_ASKS_MS, over);
    }
    for (const acquired of held) await visitor.release(acquired).catch(() => undefined);
  }
}
