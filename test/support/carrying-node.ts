import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openTrialRepository } from '../../src/checkpoints/repository.ts';
import { RUNNING_PROCESS_VERSION } from '../../src/domain/running-process.ts';
import { Catalogue, templateVersion, type Template } from '../../src/domain/template.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import type { Releasers } from '../../src/lifecycle/releasers.ts';
import { CheckpointCarrier } from '../../src/pool/carry-checkpoints.ts';
import type { CheckpointShare } from '../../src/pool/interfaces/checkpoint-share.ts';
import { Restorer } from '../../src/pool/restore.ts';
import { HttpProbe } from '../../src/runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../../src/runtime/simulated/simulated-runtime.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { RepositoryInFolder } from './checkpoint-files.ts';
import { fleetNode } from './fleet.ts';
import { LogBook } from './queue.ts';
import { SimulatedCheckpointing } from './simulated-checkpointing.ts';
import { silent, type TestStore } from './store.ts';
import { template as tinyTemplate } from './templates.ts';

const never = new AbortController().signal;

export const tiny = tinyTemplate({ identity: 'none', warmup: [] });

/** What one host has: a folder of checkpoints, an engine, and what has its checkpoints arrive. */
export class CarryingNode {
  readonly files: RepositoryInFolder;
  readonly store: Store;
  readonly name: string;
  readonly runtime = new SimulatedRuntime();
  readonly checkpointing = new SimulatedCheckpointing(this.runtime);
  readonly log = new LogBook();
  readonly carrier: CheckpointCarrier;
  /** What its processes offer. */
  readonly catalogue: Catalogue;
  readonly #metrics = new Metrics({ templates: [tiny.name], version: 'test' });

  constructor(
    name: string,
    files: RepositoryInFolder,
    ofNode: Store,
    { app, share, now }: { readonly app: Template; readonly share: CheckpointShare; readonly now: () => number },
  ) {
    this.files = files;
    this.store = ofNode;
    this.name = name;
    const { promotions, imageUpdates: updates, checkpointOffers, registry, processes, turns } = ofNode;
    const { runtime, checkpointing, log } = this;
    const catalogue = new Catalogue([app]);
    this.catalogue = catalogue;
    const node = { name, address: '127.0.0.1', labels: [] };
    this.carrier = new CheckpointCarrier({
      ...{ catalogue, checkpointing, promotions, updates, registry, processes, node, log },
      checkpointRepository: files.checkpointRepository,
      trial: {
        ...{ catalogue, runtime, checkpointing, promotions, node, log, freePort },
        checkpointRepository: openTrialRepository({ dir: files.dir, log: silent }),
        databases: undefined,
        clock: { now },
        probe: new HttpProbe(),
        address: { scheme: 'http', baseDomain: 'localhost', port: undefined },
        draftArchive: async () => {
          await mkdir(files.dir, { recursive: true });
          return join(files.home, `draft-${await freePort()}`);
        },
      },
      offers: checkpointOffers,
      share,
      turn: turns.of('checkpoint-share'),
      observer: this.#metrics,
      ...{ clock: { now }, steadyClock: { passedMs: now } },
    });
  }

  /** Says that it is alive and what it has, and sees to its checkpoints. */
  async round(): Promise<void> {
    await this.beat();
    await this.carrier.round(never);
    await this.beat();
  }

  async beat(): Promise<void> {
    const { heartbeat } = fleetNode({ heartbeat: { checkpoints: await this.has() } });
    if (heartbeat !== undefined) await this.store.registry.beat(heartbeat);
    const { name: node, catalogue } = this;
    await this.store.processes.announce({
      ...{ v: RUNNING_PROCESS_VERSION, role: 'worker', version: 'test', host: node, pid: 1, node, startedAtMs: 1 },
      templates: Object.fromEntries(catalogue.all().map(({ name }) => [name, catalogue.version(name) ?? ''])),
      leads: [],
    });
  }

  async has(): Promise<string[]> {
    return (await this.files.checkpointRepository.list()).map(({ id }) => id);
  }

  get arrival() {
    return this.carrier.arrivals()[tiny.name];
  }

  async carried(): Promise<string[]> {
    const text = await this.#metrics.text();
    return [
      ...text.matchAll(/^try_it_now_checkpoints_carried_total\{.*how="(\w+)",status="(\w+)"\} ([1-9]\d*)$/gm),
    ].map(([, how = '', status = '', count = '']) => `${how} ${status} ${count}`);
  }

  restorer(): Restorer {
    const { checkpointing, log } = this;
    const { promotions } = this.store;
    return new Restorer({ checkpointing, checkpointRepository: this.files.checkpointRepository, promotions, log });
  }

  /** What an instance that is made now comes up from. */
  async restores(restorer: Restorer, checkpoint: string): Promise<string | undefined> {
    const name = `demo-${await freePort()}`;
    const template = this.catalogue.default;
    const spec = { name, instanceId: undefined, template, hostPort: await freePort(), env: {} };
    const before = this.checkpointing.restored.length;
    await restorer.restore(template, templateVersion(template), checkpoint, spec, never);
    await this.runtime.remove(name);
    return this.checkpointing.restored.slice(before).at(-1);
  }
}

/** Of a fleet whose state is in `store`, which itself is the first node's. */
export async function carryingNode(
  name: string,
  {
    releasers,
    store,
    app = tiny,
    share,
    now,
  }: {
    readonly releasers: Releasers;
    readonly store: TestStore;
    readonly app?: Template;
    readonly share: CheckpointShare;
    readonly now: () => number;
  },
): Promise<CarryingNode> {
  const files = await RepositoryInFolder.make();
  releasers.push('files', () => files[Symbol.asyncDispose]());
  const ofNode =
    name === 'node0'
      ? store
      : await openStore({
          valkey: { ...store.address, password: undefined },
          node: { name, address: '127.0.0.1' },
          limits: { hourly: 0, daily: 0 },
          portRange: store.portRange,
          portCoolDownMs: 200,
          log: silent,
        });
  if (ofNode !== store) releasers.push('store', () => ofNode.close());
  return new CarryingNode(name, files, ofNode, { app, share, now });
}
