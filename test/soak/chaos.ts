import { createRuntime } from '../../src/composition/engines.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import type { World } from '../drills/outage-world.ts';
import { silent } from '../support/store.ts';

export type Random = () => number;

/** Mulberry32: small, fast, and the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const BLOWS = ['instance', 'server', 'discovery', 'nats', 'valkey', 'caddy'] as const;
export type Blow = (typeof BLOWS)[number];
/** Instances die often, what holds state is restarted now and then. */
const WEIGHTS: Readonly<Record<Blow, number>> = { instance: 8, server: 4, discovery: 3, nats: 1, valkey: 1, caddy: 1 };

/**
 * Kills something about every `everyMs`: any part until `calm`, and only instances from then on, so that the parts live
 * long enough to be measured.
 */
export async function wreakHavoc(
  world: World,
  random: Random,
  options: {
    readonly everyMs: number;
    readonly calm: AbortSignal;
    readonly until: AbortSignal;
    readonly told: (blow: Blow) => void;
  },
): Promise<void> {
  const { everyMs, calm, until, told } = options;
  const pause = (): Promise<void> => sleep(everyMs * (0.5 + random()), until).catch(() => undefined);
  for (;;) {
    await pause();
    if (until.aborted) return;
    const blow = calm.aborted ? 'instance' : draw(random);
    told(blow);
    await strike(world, random, blow);
  }
}

function draw(random: Random): Blow {
  let left = random() * BLOWS.reduce((sum, blow) => sum + WEIGHTS[blow], 0);
  return BLOWS.find((blow) => (left -= WEIGHTS[blow]) < 0) ?? 'instance';
}

async function strike(world: World, random: Random, blow: Blow): Promise<void> {
  switch (blow) {
    case 'instance':
      return removeOne(world, random);
    // Its supervisor starts it again.
    case 'discovery':
      return world.part('discovery').kill();
    case 'server':
    case 'nats':
    case 'valkey':
    case 'caddy': {
      const part = world.part(blow === 'server' ? 'api' : blow);
      await part.kill();
      await part.start();
      // What was behind its back is what a server that starts needs too.
      if (blow !== 'server' && !world.part('api').alive) await world.part('api').start();
    }
  }
}

/** As if somebody else on the host had: the server hears of it from the engine. */
async function removeOne({ config }: World, random: Random): Promise<void> {
  const runtime = createRuntime(await loadEngine('simulated'), config, silent);
  try {
    const all = await runtime.list();
    const one = all[Math.floor(random() * all.length)];
    if (one !== undefined) await runtime.remove(one.name);
  } finally {
    await runtime.close();
  }
}
