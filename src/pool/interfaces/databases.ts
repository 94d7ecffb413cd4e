import type { Template } from '../../domain/template.ts';

export interface DatabaseCredentials {
  /** Path of the server's socket, as an instance sees it. */
  readonly socket: string;
  readonly name: string;
  readonly user: string;
  readonly password: string;
}

/** One database and one user per instance, on the node's own database servers. */
export interface Databases {
  /**
   * Ready for these templates: reachable, safe to let instances near, seeds loaded. Throws database_unavailable,
   * database_unsafe, database_failed.
   */
  prepare(templates: readonly Template[]): Promise<void>;
  /**
   * The same for who comes again and again, without a wait for seeds: a load may take minutes, and nobody but `create`
   * needs it to be over. Throws, once, what a load that was begun so failed with.
   */
  keepPrepared(templates: readonly Template[]): Promise<void>;
  /** Drops this deployment's seeds that none of these templates has and nobody is loading. */
  dropSeedsBut(templates: readonly Template[]): Promise<void>;
  /**
   * A name for an instance of the template, or for something that is only tried and may be dropped by
   * the reconciler from `keepUntilMs` on. Throws database_unavailable where no server of the template's engine is.
   */
  nameFor(
    template: Template,
    owner: { readonly instanceId: string; readonly attempt: string } | { readonly keepUntilMs: number },
  ): string;
  /**
   * Filled from the template's seed, with a new password; anything that has the name already
   * is replaced. Throws database_unavailable, database_failed.
   */
  create(name: string, template: Template): Promise<DatabaseCredentials>;
  /** Resolves when neither database nor user is there any more, and no connection to it. Absent is fine. */
  drop(name: string): Promise<void>;
  /** Every database and user of this deployment's, except those that are only tried and still may be. */
  list(): Promise<readonly string[]>;
  /** How large each of these is that is there, in bytes. Throws database_unavailable. */
  sizes(names: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** The name of the file of the socket through which instances reach the server that has this database. */
  socketNameOf(name: string): string | undefined;
  close(): Promise<void>;
}
