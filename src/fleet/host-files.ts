import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const SETTINGS = 'try-it-now.env';

/** The files of one host below its folder of settings, `/etc/try-it-now`. */
export class HostFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  secretPath(name: string): string {
    return this.path(join('secrets', name));
  }

  /** Undefined for one that is not there. */
  async read(name: string): Promise<string | undefined> {
    return readIfThere(this.path(name));
  }

  async readSecret(name: string): Promise<string | undefined> {
    return readIfThere(this.secretPath(name));
  }

  async readSettings(): Promise<string | undefined> {
    return this.read(SETTINGS);
  }

  /** For everybody to read, its folder too. */
  async write(name: string, text: string): Promise<void> {
    await replaceFile(this.path(name), text, 0o644);
    await chmod(dirname(this.path(name)), 0o755);
  }

  async writeSecret(name: string, text: string): Promise<void> {
    await mkdir(this.path('secrets'), { recursive: true, mode: 0o700 });
    await chmod(this.path('secrets'), 0o700);
    await replaceFile(this.secretPath(name), text, 0o600);
  }

  async writeSettings(text: string): Promise<void> {
    await replaceFile(this.path(SETTINGS), text, 0o600);
  }
}

/** Whole or not at all: a crash leaves the old one. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.new`;
  await writeFile(draft, text, { mode });
  // A draft that was left behind keeps its mode.
  await chmod(draft, mode);
  await rename(draft, path);
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
}
