import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { isSavedBoard } from './board.js';

const saveAfterMs = 100;

/**
 * The board on disk, so that it survives a restart of the process. A board that cannot be saved still works: the loss
 * is logged once and the notes live in memory.
 */
export class BoardFile {
  #path;
  #log;
  #board;
  #timer;
  #failed = false;

  constructor(dir, log) {
    this.#path = join(dir, 'board.json');
    this.#log = log;
    try {
      mkdirSync(dir, { recursive: true });
    } catch (error) {
      this.#complain(error);
    }
  }

  /** The saved board, or undefined when there is none. A broken file is set aside, not overwritten. */
  load() {
    let text;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      return undefined;
    }
    try {
      const saved = JSON.parse(text);
      if (isSavedBoard(saved)) return saved;
    } catch {
      // Reported below, together with a file that is JSON but no board.
    }
    const aside = `${this.#path}.broken`;
    this.#log('the saved board cannot be read, starting a new one', { keptAs: aside });
    try {
      renameSync(this.#path, aside);
    } catch (error) {
      this.#complain(error);
    }
    return undefined;
  }

  /** Saves every change from now on, a burst of them once. */
  watch(board) {
    this.#board = board;
    for (const event of ['change', 'renamed']) {
      board.on(event, () => {
        this.#timer ??= setTimeout(() => this.saveNow(), saveAfterMs);
      });
    }
    this.saveNow();
  }

  saveNow() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#board === undefined) return;
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(this.#board));
      renameSync(`${this.#path}.new`, this.#path);
      this.#failed = false;
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error) {
    if (this.#failed) return;
    this.#failed = true;
    this.#log('the board is kept in memory only', { reason: error.message });
  }
}
