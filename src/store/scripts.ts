import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis as Valkey } from 'iovalkey';
import { NO_TRACER, type Tracer } from '../domain/tracer.ts';
import { COMMAND_TIMEOUT_MS, storeError } from './client.ts';

const SCRIPT_NAMES = [
  'agree-on-image',
  'record-step',
  'record-use',
  'allocate-port',
  'begin-attempt',
  'cancel-tickets',
  'container-gone',
  'control-pool',
  'count-shares',
  'cool-port',
  'current-checkpoints',
  'database-dropped',
  'retire-untrusted',
  'drainable',
  'due',
  'extend',
  'find',
  'find-unused',
  'find-by-label',
  'delete-record',
  'mark-overdue',
  'harm',
  'scan-network-rules',
  'idle-tickets',
  'keep-image-pins',
  'mark-ready',
  'move-image-pin',
  'note-image-update',
  'note-step',
  'announce-version',
  'promote',
  'promotion-status',
  'publish-hostname',
  'put-network-rule',
  'put-preview',
  'end-preview',
  'forget-preview',
  'quarantine',
  'raise-claim-count',
  'record-failure',
  'record-healthy',
  'record-unhealthy',
  'release',
  'renew-ticket',
  'reserve',
  'restore-failed',
  'restore-pause',
  'restored',
  'rollback-checkpoint',
  'reconcile-hostname',
  'reconcile-index',
  'reconcile-ports',
  'reconcile-settings',
  'claim',
  'take-turn',
  'check-turn',
  'wait-with-pages',
  'announce-process',
  'request-reload',
  'running-processes',
  'size-pool',
  'take-landing',
  'uncount-claim',
  'watch-claims',
  'beat',
  'note-loss',
  'look-at-nodes',
  'look-for-due',
  'look-at-places',
  'place-tickets',
  'remove-node',
  'leave-waiting',
  'open-session',
  'find-session',
  'list-sessions',
] as const;
type ScriptName = (typeof SCRIPT_NAMES)[number];

/**
 * What ends, cleans up, puts right, or says who is alive and who leads goes on where Valkey's memory is used up: it
 * takes some bytes, and gives back all that an instance had. Without this such a script is refused if the first command
 * that it writes with happens to be one that may take memory.
 */
const EVEN_WITHOUT_MEMORY: ReadonlySet<ScriptName> = new Set([
  ...(['release', 'due', 'mark-overdue', 'container-gone', 'database-dropped', 'cool-port', 'quarantine'] as const),
  ...(['delete-record', 'retire-untrusted', 'cancel-tickets', 'renew-ticket', 'uncount-claim'] as const),
  ...(['leave-waiting', 'record-use', 'record-failure', 'record-unhealthy', 'restore-failed'] as const),
  ...(['reconcile-index', 'reconcile-ports', 'reconcile-hostname', 'reconcile-settings'] as const),
  ...(['beat', 'note-loss', 'remove-node', 'take-turn', 'announce-process', 'watch-claims'] as const),
  ...(['wait-with-pages'] as const),
  ...(['control-pool', 'end-preview', 'forget-preview'] as const),
]);

/** Node's timers may end a millisecond early by the clock that measures them. */
const CLOCK_SLACK_MS = 5;

interface Script {
  readonly source: string;
  readonly sha: string;
}

function readScript(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}

/**
 * Of the prelude, whose paragraphs define one name each, what the script mentions, by itself or through another of
 * them: each run of a script makes every function that stands before it.
 */
function withPrelude(paragraphs: readonly string[], script: string): string {
  return paragraphs.reduceRight((source, paragraph) => {
    const [, name = ''] = /^local (?:function )?(\w+)/m.exec(paragraph) ?? [];
    return new RegExp(`\\b${name}\\b`).test(source) ? `${paragraph}\n\n${source}` : source;
  }, script);
}

/** The atomic operations of the store: one round trip each, also the first after Valkey forgot them. */
export class Scripts {
  readonly #client: Valkey;
  readonly #tracer: Tracer;
  readonly #scripts: ReadonlyMap<ScriptName, Script>;
  #batching: Valkey['stream'] | undefined;
  #unresponsive = false;

  constructor(client: Valkey, tracer = NO_TRACER) {
    this.#client = client;
    this.#tracer = tracer;
    const prelude = readScript('prelude').split(/\n{2,}/);
    this.#scripts = new Map(
      SCRIPT_NAMES.map((name) => {
        const flags = EVEN_WITHOUT_MEMORY.has(name) ? '#!lua flags=allow-oom\n' : '';
        const source = `${flags}${withPrelude(prelude, readScript(name))}`;
        return [name, { source, sha: createHash('sha1').update(source).digest('hex') }];
      }),
    );
  }

  /** Of each by the digest that Valkey knows it by. */
  get names(): ReadonlyMap<string, string> {
    return new Map([...this.#scripts].map(([name, { sha }]) => [sha, name]));
  }

  /** Has Valkey know every script beforehand, so that the first claim too is a single round trip. */
  async load(): Promise<void> {
    try {
      await Promise.all([...this.#scripts.values()].map(({ source }) => this.#client.script('LOAD', source)));
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * Holds back what is written until the end of this turn of the event loop, so that the claims of one turn share a
   * system call. The client's own pipelining would do that too, but answers none of them before the last one.
   */
  #batchWrites(): void {
    const { stream, status } = this.#client;
    // Before the first connection there is nothing to hold back.
    if (status !== 'ready' || this.#batching === stream) return;
    this.#batching = stream;
    stream.cork();
    setImmediate(() => {
      stream.uncork();
      if (this.#batching === stream) this.#batching = undefined;
    });
  }

  /**
   * A server that hangs lets the first command wait its time; from then on, until anything is heard of it, they fail at
   * once, for their visitors' sake and so that nothing piles up at it to be carried out when it goes on.
   */
  #markUnresponsive(): void {
    if (this.#unresponsive || this.#client.status !== 'ready') return;
    this.#unresponsive = true;
    const heard = (): void => {
      this.#unresponsive = false;
    };
    this.#client.stream.once('data', heard);
    this.#client.once('ready', heard);
  }

  /** Throws store_unavailable when Valkey does not answer. */
  run(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.#tracer.span(`valkey ${name}`, () => this.#run(name, keys, args, false));
  }

  /** The same for who has collected a turn already, for several of which each has its own trace. */
  runForSeveral(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.#run(name, keys, args, true);
  }

  async #run(
    name: ScriptName,
    keys: readonly string[],
    args: readonly (string | number)[],
    atOnce: boolean,
  ): Promise<unknown> {
    const script = this.#scripts.get(name);
    if (script === undefined) throw new Error(`no script named ${name}`);
    if (this.#unresponsive) throw storeError(new Error('it has not answered for a while'));
    if (!atOnce) this.#batchWrites();
    const startedAt = performance.now();
    try {
      return await this.#client.call('evalsha', [script.sha, keys.length, ...keys, ...args]);
    } catch (error) {
      if (performance.now() - startedAt >= COMMAND_TIMEOUT_MS - CLOCK_SLACK_MS) this.#markUnresponsive();
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw storeError(error);
    }
    try {
      return await this.#client.eval(script.source, keys.length, ...keys, ...args);
    } catch (error) {
      throw storeError(error);
    }
  }
}
