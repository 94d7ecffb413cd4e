import { HEARTBEAT_INTERVAL_MS, HEARTBEAT_VERSION } from '../../src/domain/node.ts';
import type { Config } from '../../src/config/config.ts';
import type { Template } from '../../src/domain/template.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { silent, warm } from '../support/store.ts';

/** A node has 45,000 ports at most, and few have so many. */
const MOST_OF_A_NODE = 10_000;
const FIRST_PORT = 20_000;
const AT_ONCE = 200;

/** Nodes that are heard of, as long as this is not disposed of, and of which there is nothing else. */
type RecordedNodes = AsyncDisposable;

/**
 * Records ready instances by the scripts that a worker uses, without any container. They live longer than others, so
 * that the oldest, which visitors get, are never theirs.
 */
export async function recordInstances(
  config: Config,
  wanted: readonly { readonly template: Template; readonly count: number }[],
): Promise<RecordedNodes> {
  const nodes: Store[] = [];
  let [room, unplaced] = [0, wanted.reduce((sum, { count }) => sum + count, 0)];
  const node = async (): Promise<Store> => {
    const last = nodes.at(-1);
    if (last !== undefined && room > 0) return last;
    // With no more ports than instances: what a free one takes in Valkey is no instance's.
    room = Math.min(unplaced, MOST_OF_A_NODE);
    const store = await openNode(config, nodes.length + 1, room);
    nodes.push(store);
    unplaced -= room;
    return store;
  };
  const close = async (): Promise<void> => {
    clearInterval(beats);
    await Promise.all(nodes.map((store) => store.close()));
  };
  const beats = setInterval(() => {
    for (const store of nodes) void beat(store).catch(() => undefined);
  }, HEARTBEAT_INTERVAL_MS);
  try {
    for (const { template, count } of wanted) {
      const lasting = { ...template, maxAgeMs: 2 * template.maxAgeMs };
      for (let left = count; left > 0;) {
        const store = await node();
        const some = Math.min(left, room, AT_ONCE);
        await record(store, lasting, some);
        left -= some;
        room -= some;
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { [Symbol.asyncDispose]: close };
}

async function openNode({ valkey, containers }: Config, number: number, ports: number): Promise<Store> {
  const store = await openStore({
    valkey,
    node: { name: `recorded${number}`, address: `127.9.0.${number}` },
    limits: { hourly: 0, daily: 0 },
    portRange: { start: FIRST_PORT, end: FIRST_PORT + ports - 1 },
    portCoolDownMs: containers.portCoolDownMs,
    log: silent,
  });
  await store.inventory.reconcilePorts();
  await beat(store);
  return store;
}

/** It offers nothing, and so is given nothing. */
async function beat({ registry }: Store): Promise<void> {
  await registry.beat({
    v: HEARTBEAT_VERSION,
    address: '127.0.0.1',
    engine: 'simulated',
    program: 'bench',
    labels: [],
    cpus: 1,
    ports: MOST_OF_A_NODE,
    templates: {},
    checkpoints: [],
  });
}

async function record({ provisioningStore, ...store }: Store, template: Template, count: number): Promise<void> {
  for (let left = count; left > 0;) {
    const ids = await provisioningStore.reserveTickets(template, { most: left });
    if (ids.length === 0) throw new Error(`there is no room for ${left} more instances of ${template.name}`);
    left -= ids.length;
    await Promise.all(
      ids.map(async (id) => {
        const instance = await warm({ provisioningStore, ...store }, template, id);
        await provisioningStore.markReady(instance, template);
      }),
    );
  }
}
