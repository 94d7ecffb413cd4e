import { setMaxListeners } from 'node:events';
import { Redis as Valkey } from 'iovalkey';
import type { Challenge } from '../../../packages/client/src/proof.ts';
import { prioritize } from '../../../src/lifecycle/priority.ts';
import { Releasers } from '../../../src/lifecycle/releasers.ts';
import { sleep } from '../../../src/lifecycle/sleep.ts';
import { keys } from '../../../src/store/keys.ts';
import { loadAttackerImage } from '../../hostile/attacker-image.ts';
import { launchEngine } from '../../support/container-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { discrepancies, discrepanciesSoFar } from '../../support/state-audit.ts';
import { silent } from '../../support/store.ts';
import { startWorld, type World } from '../outage-world.ts';
import type { Attack } from './attacks.ts';
import { HonestVisitors } from './honest.ts';
import { HostWatch, leftovers } from './host.ts';
import { HostileVisitors } from './hostile.ts';
import { lineOf, type Seen } from './report.ts';
import { Solver } from './solver.ts';
import { addressesFrom, newAgent } from './visitor.ts';

export interface DrillOptions {
  readonly quietMs: number;
  readonly crowdMs: number;
  readonly honest: number;
  readonly attacks: readonly Attack[];
  readonly poolBurners: number;
  /** Attackers come from another address every time, so that nothing is remembered of them. */
  readonly changing: boolean;
  /** Ends it early, and cleanly. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const PATIENCE_MS = 300_000;
const HOST_PATIENCE_MS = 30_000;
const LOOK_MS = 1_000;
const SAY_EVERY_MS = 60_000;
/** Visitors' own machines are not this one: what they measure must not wait for its processors. */
const VISITORS_PRIORITY = -10;
/** Overrides of the world's own settings: what the product ships with. */
const SHIPPED = {
  RATE_LIMIT_HOURLY: '60',
  RATE_LIMIT_DAILY: '300',
  CONTAINER_PORT_COOLDOWN: '12s',
  TRUSTED_PROXIES: '127.0.0.0/8',
} as const;
const KEEP_IDENTITY = { exec: ['/bin/sh', '-c', '/bin/busybox env > /tmp/identity'] };

/** Honest visitors alone, then beside hostile ones, all in real containers; then what is left is looked for. */
export async function drill(options: DrillOptions): Promise<Seen> {
  const releasers = new Releasers();
  try {
    const podman = await launchEngine('podman');
    releasers.push('podman for the image', () => podman[Symbol.asyncDispose]());
    const image = await loadAttackerImage(podman.socketPath);
    releasers.push('image', () => image[Symbol.asyncDispose]());
    options.say('Starting every part …');
    const world = await startWorld(
      {
        engine: 'podman',
        app: { image: image.name, ttl: { default: '1h', max: '1h' } },
        target: 12,
        max: 70,
        workers: 4,
        databases: true,
        shop: { activation: KEEP_IDENTITY, pool: { target: 10, max: 60, replenish_threshold: 0 } },
        ports: 250,
        env: SHIPPED,
      },
      releasers,
    );
    await prioritize(process.pid, VISITORS_PRIORITY);
    releasers.push('priority', () => prioritize(process.pid, 0));
    return await inWorld(world, options, releasers);
  } finally {
    await releasers.releaseAll(silent);
  }
}

async function inWorld(world: World, options: DrillOptions, releasers: Releasers): Promise<Seen> {
  const { quietMs, crowdMs, honest, attacks, poolBurners, changing, signal, say } = options;
  await balanced(world);
  const before = await leftovers();
  const host = new HostWatch('/var/lib/containers');
  const valkey = new Valkey(world.auditTarget.valkeyPort, '127.0.0.1');
  releasers.push('Valkey', () => valkey.disconnect());
  const [agent, hostileAgent] = [newAgent(), newAgent()];
  releasers.push('connections', () => Promise.all([agent.destroy(), hostileAgent.destroy()]));
  const solver = await Solver.start();
  releasers.push('the solver of challenges', () => solver[Symbol.asyncDispose]());
  const place = {
    api: world.api,
    proxyPort: world.proxyPort,
    solve: (challenge: Challenge) => solver.solve(challenge),
  };
  const visitors = new HonestVisitors(place, agent, addressesFrom(18));
  const hostile = new HostileVisitors({
    place,
    agent: hostileAgent,
    address: addressesFrom(19),
    changing,
    reasonOf: async (label) => reasonIn(await valkey.get(keys.endedVisit(label))),
  });
  const [over, hostileOver] = [endless(), endless()];
  const [quietFrom, crowdFrom] = [performance.now(), performance.now() + quietMs];
  const seen = {
    acquires: visitors.acquires,
    pages: visitors.pages,
    burnerAcquires: hostile.burnerAcquires,
    attackerAcquires: hostile.acquires,
    visits: hostile.visits,
    host: host.samples,
  };
  const watched = watch(host, (phase) => say(lineOf(seen, phase)), over.signal);
  const honestOnes = visitors.come(honest, over.signal);
  say(`${honest} honest visitors …`);
  await sleep(quietMs, signal);
  say('… and the hostile crowd …');
  const hostileOnes = hostile.come(attacks, poolBurners, hostileOver.signal);
  await sleep(crowdMs, signal);
  const crowdTo = performance.now();
  hostileOver.abort();
  await hostileOnes;
  over.abort();
  await Promise.all([honestOnes, watched]);
  say('Everybody leaves; looking for what is left behind …');
  const left = await leftBehind(world, before);
  return {
    quiet: { fromMs: quietFrom, toMs: crowdFrom },
    crowd: { fromMs: crowdFrom, toMs: crowdTo },
    ...seen,
    left,
  };
}

async function watch(
  host: HostWatch,
  tell: (phase: { readonly fromMs: number; readonly toMs: number }) => void,
  over: AbortSignal,
): Promise<void> {
  await host.look();
  let toldAtMs = performance.now();
  while (!over.aborted) {
    await sleep(LOOK_MS, over);
    await host.look();
    const now = performance.now();
    if (now - toldAtMs < SAY_EVERY_MS) continue;
    tell({ fromMs: toldAtMs, toMs: now });
    toldAtMs = now;
  }
}

/** Every visitor waits on it; Node warns of a leak from eleven on. */
function endless(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

function reasonIn(record: string | null): string {
  return record === null ? 'unknown' : ((JSON.parse(record) as { readonly reason: string | null }).reason ?? 'unknown');
}

async function balanced(world: World): Promise<void> {
  await eventually(
    async () => {
      const problems = await discrepanciesSoFar(world.auditTarget);
      if (problems.length > 0)
        throw new Error(`the recorded state is inconsistent: ${problems.slice(0, 8).join('; ')}\n${world.serverLog()}`);
    },
    { timeoutMs: PATIENCE_MS, everyMs: 500 },
  );
}

/** What others do on this machine meanwhile counts too, so the host is looked at once the deployment is at rest. */
async function leftBehind(world: World, before: ReadonlyMap<string, number>): Promise<string[]> {
  await balanced(world).catch(() => undefined);
  const look = async (): Promise<string[]> => [
    ...(await discrepancies(world.auditTarget)),
    ...[...(await leftovers())].flatMap(([what, count]) => {
      const more = count - (before.get(what) ?? 0);
      return more > 0 ? [`${more} more ${what} than before`] : [];
    }),
  ];
  return eventually(
    async () => {
      const left = await look();
      if (left.length > 0) throw new Error(left.join('; '));
      return left;
    },
    { timeoutMs: HOST_PATIENCE_MS, everyMs: 1_000 },
  ).catch(look);
}
