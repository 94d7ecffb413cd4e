import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis as Valkey } from 'iovalkey';
import { COMMAND_TIMEOUT_MS, storeError } from './client.ts';

const SCRIPT_NAMES = [
  'advance',
  'allocate-port',
  'begin',
  'cancel-ticket',
  'container-gone',
  'control-pool',
  'cool-port',
  'current-checkpoints',
  'database-dropped',
  'distrust-stock',
  'drainable',
  'due',
  'extend',
  'find',
  'forget',
  'hurry',
  'idle-tickets',
  'mark-ready',
  'offer',
  'promote',
  'promotion-status',
  'publish-hostname',
  'quarantine',
  'raise-takes',
  'record-failure',
  'release',
  'renew-ticket',
  'reserve',
  'restore-failed',
  'restore-pause',
  'restored',
  'rollback-checkpoint',
  'settle-hostname',
  'settle-index',
  'settle-ports',
  'take',
  'uncount-take',
  'watch-takes',
] as const;
type ScriptName = (typeof SCRIPT_NAMES)[number];

interface Script {
  readonly source: string;
  readonly sha: string;
}

function readScript(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}

/** The atomic operations of the store: one round trip each, also the first after Valkey forgot them. */
export class Scripts {
  readonly #client: Valkey;
  readonly #scripts: ReadonlyMap<ScriptName, Script>;
  #gathering: Valkey['stream'] | undefined;
  #silent = false;

  constructor(client: Valkey) {
    this.#client = client;
    const prelude = readScript('prelude');
    this.#scripts = new Map(
      SCRIPT_NAMES.map((name) => {
        const source = `${prelude}\n${readScript(name)}`;
        return [name, { source, sha: createHash('sha1').update(source).digest('hex') }];
      }),
    );
  }

  /** Has Valkey know every script beforehand, so that the first take too is a single round trip. */
  async load(): Promise<void> {
    try {
      await Promise.all([...this.#scripts.values()].map(({ source }) => this.#client.script('LOAD', source)));
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * Holds back what is written until the end of this turn of the event loop, so that the takes of one turn share a system
   * call. The client's own pipelining would do that too, but answers none of them before the last one.
   */
  #gatherWrites(): void {
    const { stream } = this.#client;
    if (this.#gathering === stream) return;
    this.#gathering = stream;
    stream.cork();
    setImmediate(() => {
      stream.uncork();
      if (this.#gathering === stream) this.#gathering = undefined;
    });
  }

  /**
   * A server that hangs lets the first command wait its time; from then on, until anything is heard of it, they fail at once,
   * for their visitors' sake and so that nothing piles up at it to be carried out when it goes on.
   */
  #fallSilent(): void {
    if (this.#silent || this.#client.status !== 'ready') return;
    this.#silent = true;
    const heard = (): void => {
      this.#silent = false;
    };
    this.#client.stream.once('data', heard);
    this.#client.once('ready', heard);
  }

  /** Throws store_unavailable when Valkey does not answer. */
  async run(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const script = this.#scripts.get(name);
    if (script === undefined) throw new Error(`no script named ${name}`);
    if (this.#silent) throw storeError(new Error('it has not answered for a while'));
    this.#gatherWrites();
    const startedAt = performance.now();
    try {
      return await this.#client.evalsha(script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (performance.now() - startedAt >= COMMAND_TIMEOUT_MS) this.#fallSilent();
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw storeError(error);
    }
    try {
      return await this.#client.eval(script.source, keys.length, ...keys, ...args);
    } catch (error) {
      throw storeError(error);
    }
  }
}
