import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeError } from '../../src/domain/errors.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { discrepancies, discrepanciesSoFar, readRecords } from '../support/state-audit.ts';
import { eventually } from '../support/eventually.ts';
import { Guest } from '../support/guest.ts';
import { ServerProcess, type ServerProcessOptions } from '../support/server-process.ts';
import type { Side } from '../support/wiretap.ts';

/** CRASH_SEED and CRASH_ROUNDS replay a failure, or make it hundreds; see CONTRIBUTING.md. */
const SEED = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 8);
/** Deployments that crash side by side: most of a round is waiting for what was in flight to come back. */
const LANES = Math.min(4, ROUNDS);
const PORTS_A_LANE = 240;
const VISITORS = 6;
/** Who stays from round to round. */
const BYSTANDERS = 2;
const REST = { timeoutMs: 60_000, everyMs: 100 };
const ROUND_TIMEOUT_MS = 120_000;
/** An expected end, and the moment a clock is read at, may lie this far apart. */
const LEEWAY_MS = 1_000;

/** What runs by the clock and changes nothing would be most of what is met. */
const COUNTS = (exchange: string): boolean => !/^valkey (due|[A-Z ]+)$|^nats pull/.test(exchange);

type Random = () => number;

/** Mulberry32: small, fast, and the same everywhere. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function sideOf(random: Random): Side {
  return random() < 0.5 ? 'request' : 'reply';
}

it(
  `a server killed at random under load, ${ROUNDS} times (CRASH_SEED=${SEED}): consistent state, nobody thrown out`,
  { timeout: ROUND_TIMEOUT_MS * Math.ceil(ROUNDS / LANES) },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tin-crash-'));
    try {
      await using engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
      const seeds = Array.from({ length: ROUNDS }, (_, round) => SEED + round);
      const failures: string[] = [];
      const workThrough = async (): Promise<void> => {
        while (seeds.length > 0 && failures.length < LANES) {
          await using crashing = await Lane.open(engine.socketPath);
          for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
            const problem = await crashing.round(seed).then(() => undefined, describeError);
            if (problem === undefined) continue;
            failures.push(
              `round failed; replay it with CRASH_SEED=${seed} CRASH_ROUNDS=1 ` +
                `(${crashing.story})\n${problem}\n${await crashing.findings()}\n${crashing.tail()}`,
            );
            break;
          }
        }
      };
      await Promise.all(Array.from({ length: LANES }, workThrough));
      expect(failures.join('\n\n')).toBe('');
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
);

function laneOptions(engineSocket: string): ServerProcessOptions {
  const app = { image: 'localhost/simulated', port: 80 };
  return {
    engine: 'simulated',
    engineSocket,
    ports: PORTS_A_LANE,
    env: { QUEUE_ACK_WAIT: '5s', CONTAINER_PORT_COOLDOWN: '10s', POOL_REPLENISH_INTERVAL: '1s', LOG_LEVEL: 'warn' },
    templates: [
      { ...app, name: 'stay', pool: { target: 4, max: 100 }, ttl: { default: '30m', max: '2h' } },
      { ...app, name: 'brief', pool: { target: 4, max: 100 }, ttl: { default: '1s', max: '3s' } },
    ],
  };
}

class Lane implements AsyncDisposable {
  readonly #server: ServerProcess;
  readonly #stay = new Set<Visitor>();
  /** By whom each instance was ever held. */
  readonly #holders = new Map<string, Visitor>();
  /** What happened in the round, for anyone who reads of its failure. */
  story = '';

  private constructor(server: ServerProcess) {
    this.#server = server;
  }

  static async open(engineSocket: string): Promise<Lane> {
    return new Lane(await ServerProcess.launch(laneOptions(engineSocket)));
  }

  async round(seed: number): Promise<void> {
    const random = randomFrom(seed);
    this.story = '';
    const ended = new AbortController();
    const loads = Array.from({ length: VISITORS }, (_, actor) =>
      this.#visit(randomFrom(seed * 31 + actor), ended.signal),
    );
    const load = Promise.all(loads);
    // Its failure is checked below.
    load.catch(() => undefined);
    try {
      const kills = random() < 0.3 ? 2 : 1;
      for (let kill = 0; kill < kills; kill += 1) {
        await this.#killSomewhere(random);
        for (const { guest } of this.#stay) await guest.open();
        await this.#startAgain(random);
      }
      await sleep(random() * 1_000);
    } finally {
      ended.abort();
    }
    for (const visitor of (await load).flat()) if (!visitor.gone) this.#stay.add(visitor);
    for (const visitor of this.#stay) {
      await visitor.makeSure();
      if (visitor.gone) this.#stay.delete(visitor);
    }
    await this.#atRest();
    for (const visitor of this.#stay) {
      if (visitor.guest.template === 'brief') this.#stay.delete(visitor);
      else await visitor.guest.open();
    }
    for (const visitor of [...this.#stay].slice(BYSTANDERS)) {
      await visitor.leave();
      this.#stay.delete(visitor);
    }
  }

  /** What the recorded state is now. */
  async findings(): Promise<string> {
    const { auditTarget } = this.#server;
    return Promise.all([discrepancies(auditTarget), readRecords(auditTarget)]).then(
      ([problems, records]) => `out of order, of ${records.length} instances: ${problems.join('; ')}`,
      describeError,
    );
  }

  tail(): string {
    return this.#server.tail();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  async #killSomewhere(random: Random): Promise<void> {
    const side = sideOf(random);
    const nth = 1 + Math.floor(random() * 150);
    const afterMs = random() * 1_500;
    if (random() < 0.3) {
      await sleep(afterMs);
      this.story += `killed after ${Math.round(afterMs)} ms. `;
      await this.#server.kill();
      return;
    }
    const sprung = this.#server.tripwire.arm({ side, nth, pid: this.#server.pid, matches: COUNTS });
    const exchange = await Promise.race([sprung, sleep(5_000).then(() => undefined)]);
    if (exchange === undefined) {
      this.#server.tripwire.disarm();
      await this.#server.kill();
    }
    this.story +=
      exchange === undefined ? 'killed after 5 s. ' : `killed at the ${side} of "${exchange}", number ${nth}. `;
    await this.#server.gone();
  }

  /** Now and then it dies again before it is up, in the middle of putting things in order. */
  async #startAgain(random: Random): Promise<void> {
    const [fails, side, nth] = [random() < 0.4, sideOf(random), 1 + Math.floor(random() * 40)];
    await this.#server.spawn();
    if (fails) {
      const sprung = this.#server.tripwire.arm({ side, nth, pid: this.#server.pid, matches: COUNTS });
      const exchange = await Promise.race([
        sprung,
        this.#server.untilUp().then(
          () => undefined,
          () => sprung,
        ),
      ]);
      this.#server.tripwire.disarm();
      if (exchange !== undefined) {
        this.story += `killed while starting, at the ${side} of "${exchange}", number ${nth}. `;
        await this.#server.gone();
        await this.#server.spawn();
      }
    }
    await this.#server.untilUp();
  }

  /** One after another comes, opens what they were given, and extends it, gives it back or lets it expire. */
  async #visit(random: Random, ended: AbortSignal): Promise<Visitor[]> {
    const visitors: Visitor[] = [];
    let visitor: Visitor | undefined;
    while (!ended.aborted) {
      const choice = random();
      if (visitor?.waits() === true) await visitor.askAgain();
      else if (visitor === undefined || visitor.gone || choice < 0.2) {
        // Most give back what they had; the pool has room for some who forget.
        if (visitor !== undefined && !visitor.gone && random() < 0.8) await visitor.tryToLeave();
        if (visitor?.waits() !== true) {
          visitor = new Visitor(new Guest(this.#server, random() < 0.4 ? 'stay' : 'brief'));
          visitors.push(visitor);
          await visitor.take();
        }
      } else if (choice < 0.6) await visitor.open();
      else if (choice < 0.8) await visitor.extend();
      else await visitor.tryToLeave();
      this.#noteHolder(visitor);
      await sleep(20 + random() * 100);
    }
    return visitors;
  }

  #noteHolder(visitor: Visitor): void {
    if (!visitor.guest.holds) return;
    const { id } = visitor.guest;
    const holder = this.#holders.get(id);
    if (holder !== undefined && holder !== visitor) throw new Error(`instance ${id} was given to two visitors`);
    this.#holders.set(id, visitor);
  }

  async #atRest(): Promise<void> {
    await eventually(async () => {
      const problems = await discrepanciesSoFar(this.#server.auditTarget);
      const held = (await readRecords(this.#server.auditTarget))
        .filter(({ state }) => state === 'assigned')
        .map(({ id }) => id)
        .sort();
      const theirs = [...this.#stay]
        .filter((visitor) => visitor.holdsNow)
        .map(({ guest }) => guest.id)
        .sort();
      if (held.join() !== theirs.join())
        problems.push(`held are ${held.join(', ')}, and the visitors have ${theirs.join(', ')}`);
      if (problems.length > 0) throw new Error(problems.join('\n'));
    }, REST);
  }
}

/** Undefined where none came, as from a server that is killed: refused, cut off, or not in time. */
async function answerOf(asked: Promise<number>): Promise<number | undefined> {
  try {
    return await asked;
  } catch (error) {
    const isMissing = error instanceof TypeError ? error.cause !== undefined : (error as Error).name === 'TimeoutError';
    if (!isMissing) throw error;
    return undefined;
  }
}

/** A guest who copes with a server that is killed, and does not put up with anything else. */
class Visitor {
  readonly guest: Guest;
  #leaving = false;
  #left = false;

  constructor(guest: Guest) {
    this.guest = guest;
  }

  /** Given back, or refused in the first place. */
  get gone(): boolean {
    return this.#left;
  }

  get holdsNow(): boolean {
    return this.guest.holds && !this.#left && this.guest.expiresAtMs > Date.now();
  }

  /** They asked for an instance, or to give it back, and do not know what came of it. */
  waits(): boolean {
    return !this.#left && (this.#leaving || !this.guest.holds);
  }

  async askAgain(): Promise<void> {
    await (this.#leaving ? this.tryToLeave() : this.take());
  }

  async take(): Promise<void> {
    const status = await answerOf(this.guest.take());
    this.#require(status, 200, 201, 503);
    // An empty pool is an honest answer.
    if (status === 503) this.#left = true;
  }

  async open(): Promise<void> {
    if (!this.guest.holds || this.#leaving) return;
    try {
      await this.guest.open();
    } catch (error) {
      if (this.guest.expiresAtMs - Date.now() > LEEWAY_MS) throw error;
    }
  }

  async extend(): Promise<void> {
    if (!this.guest.holds || this.#leaving) return;
    // As long as it may be, or others wait.
    this.#require(await answerOf(this.guest.extend(1)), 200, 409, 503);
  }

  async tryToLeave(): Promise<void> {
    if (!this.guest.holds) return;
    this.#leaving = true;
    const status = await answerOf(this.guest.release());
    this.#require(status, 204, 503);
    this.#left = status === 204;
  }

  async leave(): Promise<void> {
    const status = await this.guest.release();
    if (status !== 204) throw new Error(`giving back ${this.guest.id} answered ${status}`);
    this.#left = true;
  }

  /** Throws on an answer that is none of these; what is about to end may be gone as well. */
  #require(status: number | undefined, ...allowed: readonly number[]): void {
    if (status === undefined || allowed.includes(status)) return;
    const isEnding = this.guest.holds && this.guest.expiresAtMs - Date.now() <= LEEWAY_MS;
    if (isEnding && (status === 404 || status === 409)) return;
    throw new Error(`a visitor was answered ${status}, where only ${allowed.join(', ')} may be`);
  }

  /** After the crash: asks again what was not answered. */
  async makeSure(): Promise<void> {
    if (this.#leaving && !this.#left) await this.leave();
    else if (!this.guest.holds && !this.#left) await this.guest.takeEventually();
  }
}
