import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import { sideBySide } from '../lifecycle/side-by-side.ts';
import { endAbuse, type EndAbuseDeps } from './end-abuse.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { Databases } from './interfaces/databases.ts';
import type { Inventory } from './interfaces/inventory.ts';

export interface WatchDatabasesDeps extends EndAbuseDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'visits'>;
  readonly consumption: Pick<Consumption, 'kill' | 'connectionsTo'>;
  readonly databases: Pick<Databases, 'sizes' | 'socketNameOf'>;
  readonly node: { readonly name: string };
}

/**
 * Five times what its user may have open at once, so that no app comes near it by itself. Servers stop taking anybody's
 * connections at some thousands, also when nobody has logged in on them.
 */
const MOST_CONNECTIONS = 100;
const LOOKS_AT_ONCE = 16;
/** Their sizes are looked at in every such round. */
const SIZES_EVERY = 5;

type Visit = Instance & { readonly database: string };

/** Ends the visits that take more of a database server than leaves room for the others. */
export class DatabaseWatch {
  readonly #deps: WatchDatabasesDeps;
  #round = 0;

  constructor(deps: WatchDatabasesDeps) {
    this.#deps = deps;
  }

  /** Throws engine_unavailable, store_unavailable, database_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { catalogue, inventory, node } = this.#deps;
    if (catalogue.all().every(({ database }) => database === undefined)) return;
    const visits = (await inventory.visits(node.name)).filter((each): each is Visit => each.database !== null);
    const ended = await sideBySide(visits, LOOKS_AT_ONCE, async (visit) => {
      return signal.aborted || (await this.#endedForConnections(visit));
    });
    const left = visits.filter((_, at) => ended[at] === false);
    // Last of all: it needs a connection itself.
    if (this.#round % SIZES_EVERY === 0 && left.length > 0) await this.#lookAtSizes(left);
    this.#round += 1;
  }

  async #endedForConnections(visit: Visit): Promise<boolean> {
    const { databases, consumption, log } = this.#deps;
    const { id, template, container, database } = visit;
    const socketName = databases.socketNameOf(database);
    if (socketName === undefined) return false;
    const connections = (await consumption.connectionsTo(socketName, container)) ?? 0;
    if (connections <= MOST_CONNECTIONS) return false;
    log.warn(
      { instance: id, template, container, database, connections, most: MOST_CONNECTIONS },
      'An instance held so many connections to its database server that others would have had none; its visit is ended',
    );
    await endAbuse(this.#deps, visit, 'database_limit');
    return true;
  }

  async #lookAtSizes(visits: readonly Visit[]): Promise<void> {
    const { catalogue, databases, log } = this.#deps;
    const sizes = await databases.sizes(visits.map(({ database }) => database));
    for (const visit of visits) {
      const { id, template, container, database } = visit;
      const [bytes, most] = [sizes.get(database), catalogue.known(template)?.databaseBytes];
      if (bytes === undefined || most === undefined || bytes <= most) continue;
      log.warn(
        { instance: id, template, container, database, bytes, mostBytes: most },
        'A visitor put more into the database than limits.database of the template allows; the visit is ended',
      );
      await endAbuse(this.#deps, visit, 'database_limit');
    }
  }
}
