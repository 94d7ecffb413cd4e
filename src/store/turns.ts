import type { Turn } from '../pool/interfaces/turn.ts';
import { keys } from './keys.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';

/** A task's turn, by this process's name. */
export class ValkeyTurn implements Turn {
  readonly #scripts: Scripts;
  readonly #task: string;
  readonly #process: string;

  constructor(scripts: Scripts, task: string, process: string) {
    this.#scripts = scripts;
    this.#task = task;
    this.#process = process;
  }

  async take(forMs: number): Promise<boolean> {
    const reply = await this.#scripts.run('take-turn', [keys.turn(this.#task)], [this.#process, Math.ceil(forMs)]);
    return reply === FLAG.YES;
  }

  async end(): Promise<void> {
    await this.#scripts.run('take-turn', [keys.turn(this.#task)], [this.#process, 0]);
  }
}
