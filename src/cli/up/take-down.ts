import type { Logger } from 'pino';
import type { App, Handling } from '../../composition/app.ts';
import { dropDatabases } from '../../composition/drop-databases.ts';
import { createRuntime } from '../../composition/engines.ts';
import type { Config } from '../../config/config.ts';
import { DATABASE_ENGINES, type DatabaseEngine } from '../../domain/database.ts';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { Releasers } from '../../lifecycle/releasers.ts';
import type { ContainerRuntime } from '../../pool/interfaces/container-runtime.ts';
import type { Engine } from '../../runtime/engines.ts';
import type { Screen } from './screen.ts';

/** As long as an engine may take to answer: what it is asked for cannot be taken back. */
const ENGINE_MS = 60_000;

/** By setting, what was there before and goes on. */
const KEPT_ELSEWHERE = {
  VALKEY_ADDR: 'Valkey',
  VALKEY_URL: 'Valkey',
  NATS_URL: 'NATS',
  CADDY_ADMIN_URL: 'Caddy',
  CHECKPOINT_DIR: 'CHECKPOINT_DIR',
} as const;

export interface TakeDownOptions {
  readonly deployment: string;
  /** What was set, and not left to `up`. */
  readonly explicit: ReadonlySet<string>;
  readonly logFile: string;
  readonly screen: Screen;
  readonly log: Logger;
}

interface ServerParts {
  readonly engine: Engine;
  readonly config: Config;
  /** Database servers that go with all that is in them. */
  readonly launched: readonly DatabaseEngine[];
}

/** Takes everything down again, and says what is still there. */
export class TakeDown {
  readonly releasers = new Releasers();
  readonly #options: TakeDownOptions;
  /** Left on purpose. */
  readonly #kept: string[] = [];
  readonly #endedAtOnce = (): void => this.#options.screen.fail(`Ended at once. ${this.#advice()}`);

  constructor(options: TakeDownOptions) {
    this.#options = options;
    const parts = Object.entries(KEPT_ELSEWHERE).flatMap(([name, part]) => (options.explicit.has(name) ? [part] : []));
    if (parts.length > 0) this.#kept.push(`what is kept in ${listed([...new Set(parts)])}`);
    process.once('exit', this.#endedAtOnce);
  }

  /**
   * Starts the server; once it has stopped, or has not come up, what it leaves for a restart goes as well. Throws what
   * `start` throws.
   */
  async start(
    { engine, config, launched }: ServerParts,
    start: (onHandling: (handling: Handling) => void) => Promise<App>,
  ): Promise<App> {
    const { deployment, log, screen } = this.#options;
    const known: { handling?: Handling } = {};
    this.releasers.push('databases', async () => {
      const others = DATABASE_ENGINES.filter((each) => !launched.includes(each));
      const databases = Object.fromEntries(others.map((each) => [each, config.databases[each]]));
      if (!(await dropDatabases({ ...config, databases }, log)))
        this.#kept.push(`the databases of ${deployment}, which other processes or nodes of it may use`);
    });
    this.releasers.push('containers', async () => {
      if (!(await removeContainers(createRuntime(engine, config, log), known.handling, screen)))
        this.#kept.push(`the networks of ${deployment}, which containers of another node of it use`);
    });
    const started = await start((handling) => {
      known.handling = handling;
    });
    this.releasers.push('server', () => started.stop());
    return started;
  }

  /** False: something is still there, which it has said. */
  async run(): Promise<boolean> {
    const failed: string[] = [];
    await this.releasers.releaseAll(this.#options.log, (part, reason) => failed.push(`${part}: ${reason}`));
    process.off('exit', this.#endedAtOnce);
    if (failed.length === 0) return true;
    this.#options.screen.fail(`Not everything is down. ${this.#advice()}. Still there:`);
    for (const each of failed) console.log(`  ${each}`);
    return false;
  }

  /** When nothing failed. */
  sayGone(): void {
    const but = this.#kept.length === 0 ? '' : ` but ${listed(this.#kept)}`;
    this.#options.screen.succeed(`Everything is down; nothing was left behind${but}.`);
  }

  #advice(): string {
    const { deployment, logFile } = this.#options;
    return (
      `Start it again with the same settings and DEPLOYMENT=${deployment}: it removes what is left here. ` +
      `The log is in ${logFile}`
    );
  }
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}

/**
 * Every container of this deployment on this node, then what `prepare` made; false where another node's containers need
 * that. Throws engine_unavailable, and container_failed with all that is left.
 */
async function removeContainers(
  runtime: ContainerRuntime,
  handling: Handling | undefined,
  screen: Screen,
): Promise<boolean> {
  try {
    await removeListed(runtime);
    const isIdle = handling === undefined || (await untilIdle(handling, screen));
    // What the engine was at when it was listed first, and what it refused then.
    const failures = await removeListed(runtime);
    if (!isIdle) failures.push('the engine is still at a start or a removal, so that a container may come yet');
    if (failures.length > 0) throw new TryItNowError('container_failed', failures.join('; '));
    return await runtime.unprepare();
  } finally {
    await runtime.close();
  }
}

async function untilIdle(handling: Handling, screen: Screen): Promise<boolean> {
  if (await handling.untilIdle(0)) return true;
  screen.progress('Taking everything down: the engine is still at a start or a removal');
  return handling.untilIdle(ENGINE_MS);
}

async function removeListed(runtime: ContainerRuntime): Promise<string[]> {
  const containers = await runtime.list();
  const results = await Promise.allSettled(containers.map(({ name }) => runtime.remove(name)));
  return results.flatMap((result, at) =>
    result.status === 'rejected' ? [`${containers[at]?.name ?? ''}: ${describeError(result.reason)}`] : [],
  );
}
