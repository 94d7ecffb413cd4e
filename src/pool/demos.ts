import { instanceUrl } from '../domain/address.ts';
import type { Template } from '../domain/template.ts';
import { acquire, type AcquireDeps, type AcquireRequest, type Acquired } from './acquire.ts';
import { extend, type Extended } from './extend.ts';
import { find, findMany } from './find.ts';
import type { PoolControl, PoolControls } from './interfaces/pool-controls.ts';
import type { InstanceView } from './interfaces/claim-store.ts';
import type { Inventory, PoolStats } from './interfaces/inventory.ts';
import { release, type ReleaseDeps } from './release.ts';

export type DemosDeps = AcquireDeps &
  ReleaseDeps & { readonly inventory: Inventory; readonly controls: Pick<PoolControls, 'read'> };

/** What a visitor can do, each a use case of its own file. */
export class DemoPool {
  readonly #deps: DemosDeps;

  constructor(deps: DemosDeps) {
    this.#deps = deps;
  }

  acquire(request: AcquireRequest): Promise<Acquired> {
    return acquire(this.#deps, request);
  }

  find(id: string): Promise<InstanceView> {
    return find(this.#deps.claimStore, id);
  }

  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>> {
    return findMany(this.#deps.claimStore, ids);
  }

  extend(id: string, minutes: number): Promise<Extended> {
    return extend(this.#deps, id, minutes);
  }

  release(id: string): Promise<void> {
    return release(this.#deps, id);
  }

  url(label: string): string {
    return instanceUrl(this.#deps.address, label);
  }

  stats(): Promise<ReadonlyMap<string, PoolStats>> {
    return this.#deps.inventory.stats(this.templates());
  }

  /** What operators decided, per template name. */
  controls(): Promise<ReadonlyMap<string, PoolControl>> {
    return this.#deps.controls.read(this.templates().map(({ name }) => name));
  }

  templates(): readonly Template[] {
    return this.#deps.catalogue.all();
  }
}
