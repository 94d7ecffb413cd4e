import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FoundImage } from '../../src/domain/image-pin.ts';
import { Catalogue } from '../../src/domain/template.ts';
import type { ImageEntry } from '../../src/domain/visit-event.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { ImageAgreement } from '../../src/pool/agree-on-images.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { listImages } from '../../src/pool/operate-images.ts';
import { ImageUpdater } from '../../src/pool/update-images.ts';
import { HttpProbe } from '../../src/runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../../src/runtime/simulated/simulated-runtime.ts';
import type { Store } from '../../src/store/store.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import type { RepositoryInFolder } from './checkpoint-files.ts';
import { fleetNode } from './fleet.ts';
import { LogBook } from './queue.ts';
import { SimulatedCheckpointing } from './simulated-checkpointing.ts';
import { readiness, template } from './templates.ts';

export const NAME = 'registry.example.org/app:1';
export const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

type Image = Omit<FoundImage, 'name'>;

/** What all hosts see alike; every test begins with a world of its own. */
export const world: {
  /** What the registry has under the name. */
  registry: Image | Error;
  nowMs: number;
  /** By the id of an image, what its app does wrong. */
  readonly faults: Map<string, Readonly<Record<string, string>>>;
} = { registry: new Error('no registry yet'), nowMs: 0, faults: new Map() };

export function image(digit: number, fault?: Readonly<Record<string, string>>): Image {
  const id = `sha256:${String(digit).repeat(4)}`;
  if (fault !== undefined) world.faults.set(id, fault);
  return { id, digest: `sha256:d${digit}` };
}

/** Looked for each hour. */
export const app = template({
  ...{ name: 'tiny', image: NAME, identity: 'none', readiness: readiness('/', 30_000) },
  imageCheck: { kind: 'every', everyMs: HOUR_MS, written: '1h' },
});

/** An engine whose containers do what their image has them do. */
class EngineOfImages extends SimulatedRuntime {
  readonly local = new Map<string, Image>();
  readonly started: ContainerSpec[] = [];
  fetched = 0;
  /** Called when a container is about to start. */
  meanwhile: (() => Promise<unknown>) | undefined;

  foundImages(names: readonly string[]): Promise<readonly FoundImage[]> {
    return Promise.resolve(
      names.flatMap((name) => {
        const found = this.local.get(name);
        return found === undefined ? [] : [{ name, ...found }];
      }),
    );
  }

  fetchImage(name: string, onProgress: (soFar: string) => void): Promise<void> {
    this.fetched += 1;
    if (world.registry instanceof Error) return Promise.reject(world.registry);
    onProgress('2 layers, 3 MB so far');
    this.local.set(name, world.registry);
    return Promise.resolve();
  }

  override async start(spec: ContainerSpec, signal: AbortSignal): Promise<void> {
    this.started.push(spec);
    await this.meanwhile?.();
    const env = { ...spec.template.env, ...world.faults.get(spec.template.image) };
    await super.start({ ...spec, template: { ...spec.template, env } }, signal);
  }
}

/** A process on a host. */
export class ImageProcess {
  readonly engine = new EngineOfImages();
  readonly checkpointing = new SimulatedCheckpointing(this.engine);
  readonly log = new LogBook();
  readonly metrics = new Metrics({ templates: ['tiny'], version: 'test' });
  reconciles = 0;
  readonly files: RepositoryInFolder;
  readonly #store: Store;
  readonly #agreement: ImageAgreement;
  readonly #updater: ImageUpdater;
  readonly #catalogue: Catalogue;

  constructor(
    ofNode: Store,
    files: RepositoryInFolder,
    { templates = [app], role = 'server', node = 'node0', labels = [] as readonly string[] } = {},
  ) {
    const { engine: runtime, checkpointing, log } = this;
    const { promotions, registry: nodes, imagePins: pins, imageUpdates: updates } = ofNode;
    this.#store = ofNode;
    this.files = files;
    this.#catalogue = new Catalogue(templates);
    const catalogue = this.#catalogue;
    const decides = (): Promise<boolean> => Promise.resolve(role === 'server');
    this.#agreement = new ImageAgreement({ catalogue, runtime, pins, decides, pinned: new Map(), log });
    this.#updater = new ImageUpdater({
      ...{ catalogue, pins, updates, decides, log },
      turnOf: (task) => ofNode.turns.of(task),
      trial: {
        ...{ runtime, checkpointing, promotions, log, freePort, databases: undefined, probe: new HttpProbe() },
        checkpointRepository: files.checkpointRepository,
        address: { scheme: 'http', baseDomain: 'localhost', port: undefined },
        node: { name: node, address: '127.0.0.1' },
        draftArchive: async () => {
          await mkdir(files.dir, { recursive: true });
          return join(files.home, `draft-${await freePort()}`);
        },
      },
      registry: nodes,
      node: { name: node, labels },
      requestReconcile: () => {
        this.reconciles += 1;
      },
      observer: this.metrics,
      clock: { now: () => world.nowMs },
      steadyClock: { passedMs: () => world.nowMs },
    });
  }

  /** As a reconciler and the updater do it in turn. */
  async round(): Promise<void> {
    const { heartbeat } = fleetNode({});
    if (heartbeat !== undefined) await this.#store.registry.beat(heartbeat);
    await this.#agreement.settle();
    await this.#updater.round(never);
  }

  get operators() {
    const { imagePins, imageUpdates, registry } = this.#store;
    return {
      ...{ catalogue: this.#catalogue, imagePins, imageUpdates, registry, clock: { now: () => world.nowMs } },
      requestReconcile: () => undefined,
    };
  }

  async shown() {
    const [first] = await listImages(this.operators);
    if (first === undefined) throw new Error('the template has an image');
    return first;
  }

  async serves(): Promise<string | undefined> {
    return (await this.shown()).pin?.id;
  }

  /** What is written down for who wants to hear of it. */
  async told(): Promise<readonly ImageEntry[]> {
    const written = await this.#store.outbox.read(100);
    return written.flatMap(({ entry }) => (entry !== undefined && 'data' in entry ? [entry] : []));
  }

  /** Nothing of a trial is left: neither containers nor checkpoints that are nobody's. */
  async left(): Promise<readonly string[]> {
    return (await this.engine.list()).map(({ name }) => name);
  }

  async checkpoints(): Promise<readonly string[]> {
    return (await this.files.checkpointRepository.list()).map(({ id }) => id);
  }

  async metadata() {
    const [only] = await this.files.checkpointRepository.list();
    if (only?.metadata === undefined) throw new Error('a checkpoint was made');
    return only.metadata;
  }

  async trials(): Promise<string[]> {
    const text = await this.metrics.text();
    return [...text.matchAll(/^try_it_now_image_trials_total\{outcome="(\w+)"\} ([1-9]\d*)$/gm)].map(
      ([, outcome = '', count = '']) => `${outcome} ${count}`,
    );
  }
}
