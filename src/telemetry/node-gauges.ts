import { Gauge, type Registry } from 'prom-client';
import { NODE_MODES } from '../domain/node.ts';
import { fullness } from '../domain/place-tickets.ts';
import type { PlacementStrategy } from '../domain/placement.ts';
import type { NodeSnapshot } from '../pool/operate-nodes.ts';

export interface FleetFigures {
  readonly nodes: readonly NodeSnapshot[];
  /** Those on offer. */
  readonly templates: readonly string[];
  readonly placement: PlacementStrategy;
}

/**
 * Each node as it said itself and as Valkey has it. Its series go with it when it is removed. One alone is for a node
 * and a template, where that has a promoted checkpoint, so that they stay few.
 */
export class NodeGauges {
  readonly #up: Gauge<'node'>;
  readonly #heard: Gauge<'node'>;
  readonly #lost: Gauge<'node'>;
  readonly #mode: Gauge<'node' | 'mode'>;
  readonly #instances: Gauge<'node' | 'state'>;
  readonly #room: Gauge<'node'>;
  readonly #used: Gauge<'node'>;
  readonly #memory: Gauge<'node'>;
  readonly #memoryAvailable: Gauge<'node'>;
  readonly #disk: Gauge<'node'>;
  readonly #diskFree: Gauge<'node'>;
  readonly #unable: Gauge<'node'>;
  readonly #checkpoint: Gauge<'node' | 'template'>;
  readonly #makers: Gauge<'template'>;
  readonly #spread: Gauge;
  readonly #all: readonly Gauge[];

  constructor(registry: Registry) {
    const all: Gauge[] = [];
    const gauge = <Name extends string>(name: string, help: string, ...labelNames: Name[]): Gauge<Name> => {
      const made = new Gauge({ name: `try_it_now_${name}`, help, labelNames, registers: [registry] });
      all.push(made);
      return made;
    };
    this.#up = gauge('node_up', 'Whether the node has said within 12 s that it is alive: 1 yes, 0 no.', 'node');
    this.#heard = gauge(
      'node_heartbeat_age_seconds',
      'How long ago the node said so last, in seconds; absent once it is silent.',
      'node',
    );
    this.#lost = gauge(
      'node_lost_seconds',
      'For how long the node has been taken for lost, in seconds; 0 while it is not.',
      'node',
    );
    this.#mode = gauge(
      'node_mode',
      'What operators have decided for the node: 1 for the mode it is in, 0 for the others.',
      'node',
      'mode',
    );
    this.#instances = gauge(
      'node_instances',
      'Instances that the node holds, by state; those that are on their way to it count as warming.',
      'node',
      'state',
    );
    this.#room = gauge('node_room', 'How many more instances the node has ports and NODE_CAPACITY for.', 'node');
    this.#used = gauge(
      'node_used_ratio',
      'The share that is used of what runs out first, room for instances or memory: what placement goes by.',
      'node',
    );
    this.#memory = gauge('node_memory_bytes', "The memory of the node's host.", 'node');
    this.#memoryAvailable = gauge('node_memory_available_bytes', 'What of it is available.', 'node');
    this.#disk = gauge('node_disk_bytes', 'The size of the disk that the containers of the node lie on.', 'node');
    this.#diskFree = gauge('node_disk_free_bytes', 'What of it is free.', 'node');
    this.#unable = gauge('node_unable_templates', 'Templates that the node offers, and cannot make now.', 'node');
    this.#checkpoint = gauge(
      'node_checkpoint_at_hand',
      'Whether the node has what it restores the template from, its promoted checkpoint or one that it made in that ' +
        "one's place: 1 yes, 0 not so far. Absent without a promoted checkpoint.",
      'node',
      'template',
    );
    this.#makers = gauge('pool_nodes', 'Nodes that are given instances of the template now.', 'template');
    this.#spread = gauge(
      'placement_spread',
      'Whether new instances are spread over the nodes (PLACEMENT): 1 yes, 0 they fill one node after the other.',
    );
    this.#all = all;
    this.#clear();
  }

  set(figures: FleetFigures | undefined): void {
    this.#clear();
    if (figures === undefined) return;
    const { nodes, templates, placement } = figures;
    this.#spread.set(placement === 'spread' ? 1 : 0);
    for (const node of nodes) this.#show(node);
    for (const template of templates) {
      const makers = nodes.filter(({ obstacles }) => obstacles.get(template)?.lastResort !== false);
      this.#makers.set({ template }, makers.length);
    }
  }

  #show(snapshot: NodeSnapshot): void {
    const { name: node, heartbeat, heartbeatAgeMs, lostForMs = 0, control, instances } = snapshot;
    this.#up.set({ node }, heartbeat === undefined ? 0 : 1);
    this.#lost.set({ node }, lostForMs / 1_000);
    for (const mode of NODE_MODES) this.#mode.set({ node, mode }, mode === control.mode ? 1 : 0);
    for (const [state, count] of Object.entries(instances)) this.#instances.set({ node, state }, count);
    if (heartbeat === undefined || heartbeatAgeMs === undefined) return;
    const { held, placed, freePorts } = snapshot;
    const { capacity = Infinity, memory, disk, templates, arrivals } = heartbeat;
    this.#heard.set({ node }, heartbeatAgeMs / 1_000);
    this.#room.set({ node }, Math.max(0, Math.min(freePorts - placed, capacity - held - placed)));
    this.#used.set({ node }, fullness(snapshot));
    if (memory !== undefined) {
      this.#memory.set({ node }, memory.total);
      this.#memoryAvailable.set({ node }, memory.available);
    }
    if (disk !== undefined) {
      this.#disk.set({ node }, disk.total);
      this.#diskFree.set({ node }, disk.free);
    }
    this.#unable.set({ node }, Object.values(templates).filter((reason) => reason !== '').length);
    for (const [template, { state }] of Object.entries(arrivals ?? {}))
      this.#checkpoint.set({ node, template }, state === 'here' || state === 'own' ? 1 : 0);
  }

  #clear(): void {
    for (const gauge of this.#all) gauge.reset();
    // Unlike those with labels, a gauge without any is 0 after a reset.
    this.#spread.remove();
  }
}
