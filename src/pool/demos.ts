import { instanceUrl } from '../domain/address.ts';
import type { Template } from '../domain/template.ts';
import { acquire, type AcquireParts, type AcquireRequest, type Acquired } from './acquire.ts';
import { extend, type Extended } from './extend.ts';
import { find, findMany } from './find.ts';
import type { PoolControl, PoolControls } from './operator-ports.ts';
import type { Census, InstanceView, PoolStats } from './ports.ts';
import { release, type ReleaseParts } from './release.ts';

export type DemosParts = AcquireParts &
  ReleaseParts & { readonly census: Census; readonly controls: Pick<PoolControls, 'read'> };

/** What a visitor can do, each a use case of its own file. */
export class DemoPool {
  readonly #parts: DemosParts;

  constructor(parts: DemosParts) {
    this.#parts = parts;
  }

  acquire(request: AcquireRequest): Promise<Acquired> {
    return acquire(this.#parts, request);
  }

  find(id: string): Promise<InstanceView> {
    return find(this.#parts.takes, id);
  }

  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>> {
    return findMany(this.#parts.takes, ids);
  }

  extend(id: string, minutes: number): Promise<Extended> {
    return extend(this.#parts, id, minutes);
  }

  release(id: string): Promise<void> {
    return release(this.#parts, id);
  }

  url(label: string): string {
    return instanceUrl(this.#parts.address, label);
  }

  stats(): Promise<ReadonlyMap<string, PoolStats>> {
    return this.#parts.census.stats(this.templates());
  }

  /** What operators decided, per template name. */
  controls(): Promise<ReadonlyMap<string, PoolControl>> {
    return this.#parts.controls.read(this.templates().map(({ name }) => name));
  }

  templates(): readonly Template[] {
    return this.#parts.catalogue.all();
  }
}
