import type { Log } from '../domain/log.ts';
import type { Turn } from '../pool/interfaces/turn.ts';
import { keys } from './keys.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';

export interface TurnOptions {
  /** Whoever starts takes it from whoever has it: its settings are the newest. */
  readonly newestFirst?: boolean;
}

/** The turns that this process has or waits for. */
export class ValkeyTurns {
  readonly #scripts: Scripts;
  readonly #process: string;
  readonly #log: Log;
  readonly #turns = new Map<string, ValkeyTurn>();

  constructor(scripts: Scripts, process: string, log: Log) {
    this.#scripts = scripts;
    this.#process = process;
    this.#log = log;
  }

  /** The same one each time that a task is asked for. */
  of(task: string, { newestFirst = false }: TurnOptions = {}): Turn {
    const known = this.#turns.get(task);
    if (known !== undefined) return known;
    const turn = new ValkeyTurn({ scripts: this.#scripts, process: this.#process, log: this.#log, task }, newestFirst);
    this.#turns.set(task, turn);
    return turn;
  }

  /** By task, whether this process has it now. */
  held(): ReadonlyMap<string, boolean> {
    return new Map([...this.#turns].map(([task, turn]) => [task, turn.held]));
  }

  /** Lets others have what this process has, so that nobody waits for it. Throws store_unavailable. */
  async endAll(): Promise<void> {
    await Promise.all([...this.#turns.values()].filter(({ held }) => held).map((turn) => turn.end()));
  }
}

interface ValkeyTurnDeps {
  readonly scripts: Scripts;
  readonly process: string;
  readonly task: string;
  readonly log: Log;
}

/** A task's turn, by this process's name. */
class ValkeyTurn implements Turn {
  readonly #deps: ValkeyTurnDeps;
  #force: boolean;
  #term = 0;
  #endsAt = -Infinity;
  /** Whether this process is known to do the task: said once, and again only when another one does. */
  #told = false;

  constructor(deps: ValkeyTurnDeps, force: boolean) {
    this.#deps = deps;
    this.#force = force;
  }

  get held(): boolean {
    return performance.now() < this.#endsAt;
  }

  get fence(): { readonly task: string; readonly term: number } {
    return { task: this.#deps.task, term: this.#term };
  }

  take(forMs: number): Promise<boolean> {
    return this.#ask(forMs, 0);
  }

  async keep(forMs: number): Promise<boolean> {
    return this.#term > 0 && (await this.#ask(forMs, this.#term));
  }

  async #ask(forMs: number, kept: number): Promise<boolean> {
    const { scripts, task, process } = this.#deps;
    const askedAt = performance.now();
    const term = Number(
      await scripts.run(
        'take-turn',
        [keys.turn(task), keys.turnTerms],
        [process, Math.ceil(forMs), task, this.#force ? FLAG.YES : FLAG.NO, kept],
      ),
    );
    this.#force = false;
    this.#term = term;
    this.#endsAt = term > 0 ? askedAt + forMs : -Infinity;
    this.#tell(term > 0);
    return term > 0;
  }

  async confirm(): Promise<boolean> {
    const { scripts, task, process } = this.#deps;
    if (!this.held) return false;
    const reply = await scripts.run('check-turn', [keys.turn(task), keys.turnTerms], [process, task, this.#term]);
    return reply === FLAG.YES;
  }

  async end(): Promise<void> {
    const { scripts, task, process } = this.#deps;
    this.#endsAt = -Infinity;
    await scripts.run('take-turn', [keys.turn(task), keys.turnTerms], [process, 0, task, FLAG.NO, 0]);
  }

  #tell(held: boolean): void {
    if (held === this.#told) return;
    this.#told = held;
    const { log, task } = this.#deps;
    if (held) log.info({ role: task, term: this.#term }, 'This process leads now');
    else log.info({ role: task }, 'Another process leads now');
  }
}
