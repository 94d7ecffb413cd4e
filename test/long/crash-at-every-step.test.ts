import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { describeError } from '../../src/domain/errors.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { discrepanciesSoFar, readRecords } from '../support/state-audit.ts';
import { launchEngine, titleFor, whyWithout } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';
import { Guest } from '../support/guest.ts';
import { mariadbSuite, startMariadb } from '../support/mariadb.ts';
import { ServerProcess, type ServerProcessOptions } from '../support/server-process.ts';
import { loadTinyImage } from '../support/tiny-image.ts';
import type { Passed, Side } from '../support/wiretap.ts';

/** Each with everything that follows from it by itself: a claim is followed by a refill, a release by a cleanup. */
const ACTS = ['take', 'extend', 'release', 'expire'] as const;
type Act = (typeof ACTS)[number];

interface CrashPoint {
  /** What CRASH_POINT is matched with: act, exchange and side. */
  readonly name: string;
  readonly act: Act;
  readonly exchange: string;
  readonly side: Side;
}

/**
 * A pattern, or `.` for all; without it each step's reply, since to die before a step is mostly to have
 * died after the one before.
 */
const WANTED = process.env['CRASH_POINT'];

const PORTS_A_LANE = 50;
const GUESTS_KEPT = 2;
const REST = { timeoutMs: 90_000, everyMs: 100 };
const MEET_WITHIN_MS = 90_000;
/** What was in a killed worker's hands comes back after this. */
const ACK_WAIT = '5s';

/**
 * Exchanges that change nothing, so that a crash before or after them is one at the next that does; and
 * what runs by the clock.
 */
const NO_STEP = [
  /^engine (GET|HEAD) /,
  /^mariadb (SELECT|SHOW|SET|USE|START)\b/,
  /^nats (pull|api|working)\b/,
  /^valkey ((take|check)-turn|(announce|running)-process(es)?)$/,
  /^valkey (drainable|due|find|find-unused|idle-tickets|look-at-nodes|look-at-places)$/,
  /^valkey (current-checkpoints|promotion-status|restore-pause|keep-alive|reconcile-[a-z]+|[A-Z ]+)$/,
];

const mariadb = mariadbSuite('MariaDB');
const isAsked = WANTED !== undefined;

/** The engine matters to what is asked of it alone: every other step is tried where a container costs nothing. */
describe.concurrent(
  'a server that is killed loses nothing, leaves nothing behind and takes nothing from a visitor',
  () => {
    it.skipIf(isAsked || mariadb.skip)(
      `at every step${isAsked ? ' (skipped: CRASH_POINT asks for some, on podman)' : ''}`,
      { timeout: 1_200_000 },
      async ({ expect }) => {
        const dir = await mkdtemp(join(tmpdir(), 'tin-steps-'));
        try {
          await using engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
          const app = { image: 'localhost/simulated', port: 80, activation: { exec: ['/bin/true'] } };
          const tried = await crashAtEach({ kind: 'simulated', socket: engine.socketPath, app, lanes: 4 }, isReply);
          expect(tried.points.length).toBeGreaterThan(50);
          expect(tried.failures.join('\n\n')).toBe('');
        } finally {
          await rm(dir, { recursive: true });
        }
      },
    );

    it.skipIf(whyWithout('podman') !== undefined || mariadb.skip)(
      `at ${WANTED ?? 'every step with its engine'} (${titleFor('podman')})`,
      { timeout: 1_200_000 },
      async ({ expect }) => {
        await using engine = await launchEngine('podman');
        await using image = await loadTinyImage(engine.socketPath);
        const app = { image: image.name, port: image.port, activation: { exec: ['/bin/busybox', 'true'] } };
        const isWanted =
          WANTED === undefined
            ? (point: CrashPoint) => isReply(point) && point.exchange.startsWith('engine ')
            : ({ name }: CrashPoint) => new RegExp(WANTED).test(name);
        const tried = await crashAtEach({ kind: 'podman', socket: engine.socketPath, app, lanes: 2 }, isWanted);
        expect(tried.met).toBeGreaterThan(0);
        expect(tried.failures.join('\n\n')).toBe('');
      },
    );
  },
);

function isReply({ side }: CrashPoint): boolean {
  return side === 'reply';
}

interface Engine {
  readonly kind: ServerProcessOptions['engine'];
  readonly socket: string;
  readonly app: Readonly<Record<string, unknown>> & { readonly activation: object };
  /** Deployments that crash side by side: most of a crash is waiting for what was in flight to come back. */
  readonly lanes: number;
}

async function crashAtEach(
  { kind, socket, app: { activation, ...app }, lanes }: Engine,
  isWanted: (point: CrashPoint) => boolean,
): Promise<{ readonly points: readonly CrashPoint[]; readonly met: number; readonly failures: readonly string[] }> {
  await using database = await startMariadb();
  const seed = join(database.dir, 'seed.sql');
  await writeFile(
    seed,
    "CREATE TABLE notes (id INT PRIMARY KEY, text VARCHAR(20)); INSERT INTO notes VALUES (1, 'one');",
  );
  const options: ServerProcessOptions = {
    engine: kind,
    engineSocket: socket,
    mariadb: database.launched,
    ports: PORTS_A_LANE,
    env: { QUEUE_ACK_WAIT: ACK_WAIT, CONTAINER_PORT_COOLDOWN: '10s', LOG_LEVEL: 'warn' },
    templates: [
      {
        ...app,
        name: 'shop',
        activation,
        database: { seed },
        pool: { target: 2, max: 10 },
        ttl: { default: '20m', max: '2h' },
      },
      { ...app, name: 'brief', pool: { target: 1, max: 6 }, ttl: { default: '1s', max: '2s' } },
    ],
  };
  const points = await discoverPoints(options);
  const failures: string[] = [];
  const waiting = points.filter(isWanted);
  const met = waiting.length;
  const workThrough = async (): Promise<void> => {
    while (waiting.length > 0) {
      // A lane whose recorded state is inconsistent goes no further: what follows would only repeat it.
      await using crashing = await Lane.open(options);
      for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
        const problem = await crashing.crashAt(point).catch(describeError);
        if (problem === undefined) continue;
        failures.push(`killed at "${point.name}":\n${problem}\n${crashing.tail()}`);
        break;
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, workThrough));
  return { points, met, failures };
}

/**
 * What a server does is watched once, undisturbed; each exchange that changes anything is a point
 * to die before and after.
 */
async function discoverPoints(options: ServerProcessOptions): Promise<CrashPoint[]> {
  await using lane = await Lane.open(options);
  const points = new Map<string, CrashPoint>();
  const ofTake = new Set<string>();
  for (const act of ACTS) {
    for (const { exchange, sides } of await lane.watch(act)) {
      if (NO_STEP.some((pattern) => pattern.test(exchange))) continue;
      // Anyone who lets an instance expire takes one first.
      if (act === 'take') ofTake.add(exchange);
      else if (act === 'expire' && ofTake.has(exchange)) continue;
      for (const side of sides) {
        const name = `${act}: ${exchange} (${side})`;
        points.set(name, { name, act, exchange, side });
      }
    }
  }
  return [...points.values()];
}

/** One deployment, its guests, and a server that dies again and again. */
class Lane implements AsyncDisposable {
  readonly #server: ServerProcess;
  readonly #guests: Guest[] = [];

  private constructor(server: ServerProcess) {
    this.#server = server;
  }

  static async open(options: ServerProcessOptions): Promise<Lane> {
    const lane = new Lane(await ServerProcess.launch(options));
    try {
      // One who holds on to their instance through all of it.
      const bystander = new Guest(lane.#server, 'shop');
      await bystander.takeEventually();
      lane.#guests.push(bystander);
      await lane.#atRest();
      return lane;
    } catch (error) {
      await lane[Symbol.asyncDispose]();
      throw error;
    }
  }

  async watch(act: Act): Promise<readonly Passed[]> {
    const guest = await this.#guestFor(act);
    await this.#atRest();
    const stop = this.#server.tripwire.record();
    await perform(act, guest);
    if (act === 'expire') await sleep(Math.max(0, guest.expiresAtMs - Date.now()));
    await this.#settle(act, guest);
    await this.#atRest();
    return stop();
  }

  /** What went wrong, or undefined. */
  async crashAt({ act, exchange, side }: CrashPoint): Promise<string | undefined> {
    const guest = await this.#guestFor(act);
    await this.#atRest();
    const sprung = this.#server.tripwire.arm({
      side,
      matches: (met) => met === exchange,
      nth: 1,
      pid: this.#server.pid,
    });
    // Its answer may never come.
    const performed = perform(act, guest).catch(() => undefined);
    const met = await Promise.race([sprung, sleep(MEET_WITHIN_MS).then(() => undefined)]);
    if (met === undefined) return 'it was not met within 90 s';
    await this.#server.gone();
    await performed;
    // While nobody answers at the API, those who are in an app notice nothing.
    for (const other of this.#guests) if (other !== guest) await other.open();
    await this.#server.start();
    await this.#settle(act, guest);
    await this.#atRest();
    for (const each of this.#guests) await each.open();
    return undefined;
  }

  tail(): string {
    return this.#server.tail();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  async #guestFor(act: Act): Promise<Guest> {
    if (act === 'take') return new Guest(this.#server, 'shop');
    if (act === 'expire') return new Guest(this.#server, 'brief');
    const [, second] = this.#guests;
    if (second !== undefined) return second;
    const guest = new Guest(this.#server, 'shop');
    await guest.takeEventually();
    this.#guests.push(guest);
    return guest;
  }

  /** Anyone who got no answer asks again; then it is as it should be for them. */
  async #settle(act: Act, guest: Guest): Promise<void> {
    switch (act) {
      case 'take':
        await guest.takeEventually();
        await guest.open();
        this.#guests.push(guest);
        for (const extra of this.#guests.splice(GUESTS_KEPT)) await extra.release();
        return;
      case 'extend':
        if ((await guest.extend(1)) !== 200) throw new Error('the guest could not extend their stay');
        return;
      case 'release':
        if ((await guest.release()) !== 204) throw new Error('the guest could not give their instance back');
        this.#guests.splice(this.#guests.indexOf(guest), 1);
        await eventually(() => guest.isShut(), REST);
        return;
      case 'expire':
        if (guest.holds) await eventually(() => guest.isShut(), REST);
    }
  }

  /** Consistent recorded state, full pools, and one instance held for each guest, none by two and none for nothing. */
  async #atRest(): Promise<void> {
    await eventually(async () => {
      const problems = await discrepanciesSoFar(this.#server.auditTarget);
      const held = (await readRecords(this.#server.auditTarget))
        .filter(({ state }) => state === 'assigned')
        .map(({ id }) => id)
        .sort();
      const theirs = this.#guests.map(({ id }) => id).sort();
      if (held.join() !== theirs.join())
        problems.push(`held are ${held.join(', ')}, and the guests have ${theirs.join(', ')}`);
      if (problems.length > 0) throw new Error(problems.join('\n'));
    }, REST);
  }
}

async function perform(act: Act, guest: Guest): Promise<void> {
  switch (act) {
    case 'take':
    case 'expire':
      await guest.take();
      return;
    case 'extend':
      await guest.extend(1);
      return;
    case 'release':
      await guest.release();
  }
}
