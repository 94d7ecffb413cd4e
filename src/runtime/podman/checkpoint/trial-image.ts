import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { TryItNowError } from '../../../domain/errors.ts';
import { libpodUpload } from '../libpod-api.ts';
import { thinArchive } from '../../thin-archive.ts';

const PLACES = ['/bin/busybox', '/usr/bin/busybox', '/usr/local/bin/busybox'];
const LOAD_TIMEOUT_MS = 30_000;
export const TRIAL_PORT = 80;
/** Images of ours of this name beyond their time are what a killed process left. */
export const TRIAL_REPOSITORY = 'localhost/try-it-now-trial';

/**
 * Loads an image of a single program, a static busybox that serves a page; returns its name. By `load`, since Podman
 * 4.3's
 * `import` forgets the name. Throws checkpointing_unavailable when the host has no such program.
 */
export async function loadTrialImage(socketPath: string, keepUntilMs: number): Promise<string> {
  const name = `${TRIAL_REPOSITORY}:${keepUntilMs}-${randomBytes(6).toString('hex')}`;
  const layer = thinArchive([
    { path: 'bin/busybox', content: await staticBusybox(), mode: 0o755 },
    { path: 'www/index.html', content: 'up\n', mode: 0o644 },
    { path: 'etc/.keep', content: '' },
    { path: 'tmp/.keep', content: '' },
  ]);
  const created = new Date().toISOString();
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created,
    // The label gives the image an id of its own: removing it cannot take another process's away.
    config: { Cmd: ['/bin/busybox', 'httpd', '-f', '-p', String(TRIAL_PORT), '-h', '/www'], Labels: { name } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`] },
    history: [{ created }],
  });
  const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }]);
  const image = thinArchive([
    { path: 'manifest.json', content: manifest },
    { path: 'config.json', content: config },
    { path: 'layer.tar', content: layer },
  ]);
  await libpodUpload(socketPath, '/images/load', image, LOAD_TIMEOUT_MS);
  return name;
}

async function staticBusybox(): Promise<Buffer> {
  for (const place of PLACES) {
    const program = await readFile(place).catch(() => undefined);
    if (program !== undefined && isStatic(program)) return program;
  }
  throw new TryItNowError(
    'checkpointing_unavailable',
    'the trial needs a static busybox to make its tiny container of, and this host has none; install the ' +
      'package busybox-static (`make setup` does)',
  );
}

/** An ELF program that names no loader (program header PT_INTERP) needs nothing else beside it. */
function isStatic(program: Buffer): boolean {
  const is64Bit = program.readUInt32BE(0) === 0x7f454c46 && program[4] === 2 && program[5] === 1;
  if (!is64Bit) return false;
  const [offset, size, count] = [
    Number(program.readBigUInt64LE(32)),
    program.readUInt16LE(54),
    program.readUInt16LE(56),
  ];
  return Array.from({ length: count }, (_, index) => program.readUInt32LE(offset + index * size)).every(
    (type) => type !== 3,
  );
}
