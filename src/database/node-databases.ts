import { DATABASE_ENGINES, DATABASE_SERVERS, type DatabaseEngine } from '../domain/database.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import type { DatabaseCredentials, Databases } from '../pool/interfaces/databases.ts';
import { engineOfName } from './names.ts';

/** A template says which of the node's servers its databases are on; a database's own name says it from then on. */
export class NodeDatabases implements Databases {
  readonly #servers: Readonly<Partial<Record<DatabaseEngine, Databases>>>;

  constructor(servers: Readonly<Partial<Record<DatabaseEngine, Databases>>>) {
    this.#servers = servers;
  }

  /** Each of them, whatever is wrong with another. */
  async prepare(templates: readonly Template[]): Promise<void> {
    await allOrFirstFailure(this.#each((server) => server.prepare(templates)));
  }

  async keepPrepared(templates: readonly Template[]): Promise<void> {
    await allOrFirstFailure(this.#each((server) => server.keepPrepared(templates)));
  }

  async dropSeedsBut(templates: readonly Template[]): Promise<void> {
    await allOrFirstFailure(this.#each((server) => server.dropSeedsBut(templates)));
  }

  nameFor(template: Template, owner: Parameters<Databases['nameFor']>[1]): string {
    return this.#server(engineOf(template), `a database for template ${template.name}`).nameFor(template, owner);
  }

  async create(name: string, template: Template): Promise<DatabaseCredentials> {
    return this.#server(engineOf(template), `the database ${name}`).create(name, template);
  }

  async drop(name: string): Promise<void> {
    const engine = engineOfName(name);
    if (engine === undefined)
      throw new TryItNowError('database_failed', `The database ${name} is not an instance's, so it is left alone`);
    await this.#server(engine, `the database ${name}`).drop(name);
  }

  async list(): Promise<readonly string[]> {
    return (await Promise.all(this.#each((server) => server.list()))).flat();
  }

  async sizes(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = DATABASE_ENGINES.map(async (engine) => {
      const own = names.filter((name) => engineOfName(name) === engine);
      const server = this.#servers[engine];
      return server === undefined || own.length === 0 ? [] : [...(await server.sizes(own))];
    });
    return new Map((await Promise.all(found)).flat());
  }

  socketNameOf(name: string): string | undefined {
    const engine = engineOfName(name);
    return engine === undefined ? undefined : this.#servers[engine]?.socketNameOf(name);
  }

  async close(): Promise<void> {
    await allOrFirstFailure(this.#each((server) => server.close()));
  }

  #each<T>(work: (server: Databases) => Promise<T>): Promise<T>[] {
    return DATABASE_ENGINES.flatMap((engine) => {
      const server = this.#servers[engine];
      return server === undefined ? [] : [work(server)];
    });
  }

  #server(engine: DatabaseEngine, what: string): Databases {
    const server = this.#servers[engine];
    if (server !== undefined) return server;
    const { title, socket, password } = DATABASE_SERVERS[engine];
    throw new TryItNowError(
      'database_unavailable',
      `This node has no ${title} server, which is needed for ${what}; set ${socket} and ${password}`,
    );
  }
}

function engineOf({ database }: Template): DatabaseEngine {
  return database?.engine ?? 'mariadb';
}

async function allOrFirstFailure(work: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}
