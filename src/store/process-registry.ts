import { Compile } from 'typebox/compile';
import { RunningProcess } from '../domain/running-process.ts';
import type { ProcessRegistry } from '../pool/interfaces/process-registry.ts';
import { keys } from './keys.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import { parseVersioned } from './versioned.ts';

/** Some missed announcements. */
const SILENCE_MS = 15_000;
/**
 * Two missed announcements of everybody at once: the store was away. Well below what counts as gone, since each speaks
 * at its own moment: whoever spoke last before an outage has been silent for less than the others.
 */
const ALL_SILENT_MS = 8_000;
const validator = Compile(RunningProcess);

export class ValkeyProcessRegistry implements ProcessRegistry {
  readonly #scripts: Scripts;
  readonly #process: string;

  constructor(scripts: Scripts, process: string) {
    this.#scripts = scripts;
    this.#process = process;
  }

  announce(self: RunningProcess): Promise<number> {
    return this.#say(JSON.stringify(self));
  }

  async requestReload(): Promise<number> {
    return Number(await this.#scripts.run('request-reload', [keys.templateReloads], []));
  }

  async leave(): Promise<void> {
    await this.#say('');
  }

  async running(): Promise<readonly RunningProcess[]> {
    return (await this.#look()).running;
  }

  async everyone(): Promise<readonly RunningProcess[] | undefined> {
    const { complete, running } = await this.#look();
    return complete ? running : undefined;
  }

  async #look(): Promise<{ readonly complete: boolean; readonly running: readonly RunningProcess[] }> {
    const [complete, ...texts] = (await this.#scripts.run(
      'running-processes',
      [keys.processes, keys.processesSeen],
      [SILENCE_MS, ALL_SILENT_MS],
    )) as [number, ...string[]];
    const running = texts.flatMap((text) => {
      const entry: unknown = parseVersioned(text);
      return validator.Check(entry) ? [entry] : [];
    });
    return { complete: complete === FLAG.YES, running };
  }

  async #say(entry: string): Promise<number> {
    return Number(
      await this.#scripts.run(
        'announce-process',
        [keys.processes, keys.processesSeen, keys.templateReloads],
        [this.#process, entry, SILENCE_MS, ALL_SILENT_MS],
      ),
    );
  }
}
