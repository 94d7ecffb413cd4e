import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PageMerging, PageMergingState } from '../../pool/interfaces/page-merging.ts';
import { processCpu } from '../docker/output-reader.ts';
import { PAGE_MERGING } from './folder.ts';

/** The kernel's, on all that Node runs on here. */
const PAGE_BYTES = 4_096;
/**
 * How many pages between two naps of the kernel's 20 ms: a tenth of a processor while it looks. It is our mark as well:
 * nobody else sets just this, so what a process of ours left on that died is told from what the host has set up itself.
 */
const PAGES = 5_003;
const OFF = '0';
const ON = '1';

/** Same-page merging of Linux (KSM), for what has asked for it by prctl. */
export class KernelPageMerging implements PageMerging {
  readonly #folder: string;
  #thread: Promise<number | undefined> | undefined;

  constructor(folder = PAGE_MERGING) {
    this.#folder = folder;
  }

  async read(): Promise<PageMergingState | undefined> {
    const [rounds, sharing] = await Promise.all([this.#number('full_scans'), this.#number('pages_sharing')]);
    if (rounds === undefined || sharing === undefined) return undefined;
    this.#thread ??= findThread('ksmd');
    const thread = await this.#thread;
    const processorMs = thread === undefined ? undefined : processCpu(thread);
    return { rounds, savedBytes: sharing * PAGE_BYTES, processorMs: processorMs ?? 0 };
  }

  async look(wanted: boolean): Promise<void> {
    const [run, pages] = [await this.#text('run'), await this.#number('pages_to_scan')];
    const ours = pages === PAGES;
    if ((run === ON) === wanted || (run === ON && !ours)) return;
    if (wanted) await this.#set('pages_to_scan', String(PAGES));
    await this.#set('run', wanted ? ON : OFF);
  }

  async #text(name: string): Promise<string | undefined> {
    return readFile(join(this.#folder, name), 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    );
  }

  async #number(name: string): Promise<number | undefined> {
    const text = await this.#text(name);
    return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
  }

  async #set(name: string, value: string): Promise<void> {
    await writeFile(join(this.#folder, name), value);
  }
}

async function findThread(name: string): Promise<number | undefined> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    if ((await readFile(`/proc/${entry}/comm`, 'utf8').catch(() => '')).trim() === name) return Number(entry);
  }
  return undefined;
}
