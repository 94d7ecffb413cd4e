import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isCheckpointId } from '../domain/ids.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { closedByUnit } from '../lifecycle/closed-by-unit.ts';
import type { Log } from '../domain/log.ts';

const UNPACKED = '.unpacked';
const DRAFTS = '.drafts';
/** Of a repository of its own, for what is on trial. */
export const TRIAL = '.trial';
const templateFolder = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const draftName = /^\.?(\d+-\d+)-[0-9a-f]{16}(?:\.tar)?$/;
/**
 * Drafts whose maker cannot be told from the name: an archive that nobody has written to for so
 * long is a killed command's.
 */
const FORGOTTEN_AFTER_MS = 3_600_000;

/** A free path below the folder of checkpoints for an archive that this process makes; it goes with the process. */
export function draftArchiveIn(root: string): { readonly folder: string; readonly path: string } {
  const folder = join(root, DRAFTS);
  return { folder, path: join(folder, `${ownMark()}-${randomBytes(8).toString('hex')}.tar`) };
}

function isTemplateFolder(name: string): boolean {
  return templateFolder.test(name);
}

/** Where things lie below CHECKPOINT_DIR, and who may read them. */
export class Folders {
  readonly root: string;
  readonly #log: Log;
  readonly #mark = ownMark();
  #ready: Promise<void> | undefined;

  constructor(root: string, log: Log) {
    this.root = root;
    this.#log = log;
  }

  archive(template: string, id: string): string {
    return join(this.root, template, `${id}.tar`);
  }

  metadata(template: string, id: string): string {
    return join(this.root, template, `${id}.json`);
  }

  unpacked(id: string): string {
    return join(this.root, UNPACKED, id);
  }

  /** A free name for something in progress; whose process is gone is removed. */
  draft(): string {
    return join(this.root, DRAFTS, this.#freeName());
  }

  /** The same beside what is unpacked already, which may be another file system. */
  unpackedDraft(): string {
    return join(this.root, UNPACKED, `.${this.#freeName()}`);
  }

  #freeName(): string {
    return `${this.#mark}-${randomBytes(8).toString('hex')}`;
  }

  /**
   * Makes the folders, for us alone, once, and again where somebody has removed or unmounted them since. Throws
   * invalid_config when others own or may read what is there, or it cannot be used.
   */
  async ready(): Promise<void> {
    const made = this.#ready;
    if (made !== undefined) {
      await made;
      if (await this.#areThere()) return;
      if (this.#ready === made) this.#ready = undefined;
    }
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    await this.#ready;
  }

  /** Removes what processes left that are gone. Throws invalid_config. */
  async tidy(): Promise<void> {
    await this.ready();
    await this.#sweep().catch(this.#refuse);
  }

  async makeTemplateFolder(template: string): Promise<void> {
    if (!isTemplateFolder(template))
      throw new TryItNowError(
        'checkpoint_damaged',
        `${JSON.stringify(template)} cannot be the name of a template, so no checkpoint of it can be stored`,
      );
    await mkdir(join(this.root, template), { recursive: true, mode: 0o700 });
  }

  /** Throws invalid_config. */
  async templates(): Promise<string[]> {
    return (await readdir(this.root, { withFileTypes: true }).catch(this.#refuse))
      .filter((entry) => entry.isDirectory() && isTemplateFolder(entry.name))
      .map(({ name }) => name)
      .sort();
  }

  /** Of the checkpoints of one template, in no order. Throws invalid_config. */
  async ids(template: string): Promise<string[]> {
    const names = await readdir(join(this.root, template)).catch(this.#refuse);
    return [...new Set(names.map((name) => name.replace(/\.(?:tar|json)$/, '')))].filter(isCheckpointId);
  }

  readonly #refuse = (error: unknown): never => {
    if (error instanceof TryItNowError) throw error;
    throw new TryItNowError(
      'invalid_config',
      `The folder of checkpoints, ${this.root}, cannot be used (${describeError(error)}); set CHECKPOINT_DIR ` +
        `to one that the server may write to${closedByUnit(error, this.root)}`,
      { cause: error },
    );
  };

  async #areThere(): Promise<boolean> {
    try {
      for (const name of [UNPACKED, DRAFTS]) await stat(join(this.root, name));
      return true;
    } catch {
      return false;
    }
  }

  async #prepare(): Promise<void> {
    try {
      await mkdir(this.root, { recursive: true, mode: 0o700 });
      await this.#closeRoot();
      for (const name of [UNPACKED, DRAFTS]) await mkdir(join(this.root, name), { recursive: true, mode: 0o700 });
      for (const name of [UNPACKED, DRAFTS, ...(await this.templates())]) {
        const path = join(this.root, name);
        if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o700);
      }
      await this.#sweep();
    } catch (error) {
      this.#refuse(error);
    }
  }

  /**
   * Only an empty folder is tightened: in any other, a mistyped CHECKPOINT_DIR would lock others out of what is theirs.
   */
  async #closeRoot(): Promise<void> {
    const { uid, mode } = await stat(this.root);
    const owner = process.geteuid?.();
    if (owner !== undefined && uid !== owner)
      throw new TryItNowError(
        'invalid_config',
        `The folder of checkpoints, ${this.root}, belongs to user ${uid}, who could read and replace the memory ` +
          `in them; give it to user ${owner} or set CHECKPOINT_DIR to another one`,
      );
    if ((mode & 0o077) === 0) return;
    const foreign = (await readdir(this.root)).filter((name) => ![UNPACKED, DRAFTS, TRIAL].includes(name));
    if (foreign.length > 0 || (mode & 0o1000) !== 0) {
      throw new TryItNowError(
        'invalid_config',
        `Others may enter the folder of checkpoints, ${this.root} (mode ${(mode & 0o7777).toString(8)}), and it ` +
          `is not empty; if it is for checkpoints alone, run chmod 700 ${this.root}, ` +
          'else set CHECKPOINT_DIR to another one',
      );
    }
    await chmod(this.root, 0o700);
    this.#log.warn(
      { folder: this.root, mode: (mode & 0o7777).toString(8) },
      'The folder of checkpoints was open to others; it is closed now',
    );
  }

  async #sweep(): Promise<void> {
    await this.#sweepDrafts(DRAFTS);
    await this.#sweepDrafts(UNPACKED);
    await this.#sweepUnpacked();
  }

  async #sweepDrafts(folder: string): Promise<void> {
    for (const name of await readdir(join(this.root, folder))) {
      if (folder === UNPACKED && !name.startsWith('.')) continue;
      const path = join(this.root, folder, name);
      const maker = draftName.exec(name)?.[1];
      if (maker === undefined ? await isForgotten(path) : !isAlive(maker)) await this.#clear(path);
    }
  }

  /** Of a checkpoint that was removed while somebody was unpacking it. */
  async #sweepUnpacked(): Promise<void> {
    // Listed first: an archive is older than what is unpacked of it.
    const unpacked = await readdir(join(this.root, UNPACKED));
    const ids = new Set<string>();
    for (const template of await this.templates()) {
      for (const id of await this.ids(template)) ids.add(id);
    }
    for (const name of unpacked) {
      if (isCheckpointId(name) && !ids.has(name)) await this.#clear(this.unpacked(name));
    }
  }

  async #clear(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
    this.#log.info({ path }, 'Removed what an earlier process left of a checkpoint');
  }
}

async function isForgotten(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > FORGOTTEN_AFTER_MS;
}

/**
 * Process id and start time: the id alone comes again, in a container at every start. Undefined when
 * there is no such process.
 */
function processMark(pid: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name, in brackets, may hold anything; the 20th field after it is the start time.
    const startTime = text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
    return `${text.slice(0, text.indexOf(' '))}-${startTime}`;
  } catch {
    return undefined;
  }
}

function ownMark(): string {
  return processMark('self') ?? `${process.pid}-0`;
}

function isAlive(mark: string): boolean {
  return processMark(mark.slice(0, mark.indexOf('-'))) === mark;
}
