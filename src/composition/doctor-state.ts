import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import { Catalogue } from '../domain/template.ts';
import { listImages } from '../pool/operate-images.ts';
import { listNodes } from '../pool/operate-nodes.ts';
import { listPreviews } from '../pool/operate-previews.ts';
import type { Store } from '../store/store.ts';

// What the checks of doctor are about, as the store has it. All throw store_unavailable.

export async function imageState(store: Store, { templates }: Config) {
  const catalogue = new Catalogue(templates);
  return { images: await listImages({ ...store, catalogue, clock: systemClock }), nowMs: systemClock.now() };
}

export async function previewState(store: Store, { templates }: Config) {
  const catalogue = new Catalogue(templates);
  return { previews: await listPreviews({ ...store, catalogue, clock: systemClock }), nowMs: systemClock.now() };
}

export async function fleetState(store: Store, { templates }: Config) {
  const [nodes, processes] = await Promise.all([
    listNodes({ ...store, catalogue: new Catalogue(templates) }),
    store.processes.running(),
  ]);
  return { nodes, processes };
}

export async function poolState({ inventory, controls, breakers, poolSizes }: Store, { templates }: Config) {
  const names = templates.map(({ name }) => name);
  const [stats, controlled, broken, sizes, records] = await Promise.all([
    inventory.stats(templates),
    controls.read(names),
    breakers.read(names),
    poolSizes.read(names),
    inventory.list(),
  ]);
  return { stats, controls: controlled, breakers: broken, sizes, records };
}
