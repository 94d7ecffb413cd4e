import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { statusOf } from '../../src/runtime/docker/engine-errors.ts';

const run = promisify(execFile);

export interface TinyImage extends AsyncDisposable {
  readonly name: string;
  /** Where its web server listens inside. */
  readonly port: 80;
}

/** What the web server serves beside `/`: its environment, by CGI. */
const ENVIRONMENT_SCRIPT = '#!/bin/sh\necho "Content-Type: text/plain"\necho\n/bin/busybox env\n';

/** PID 1 that no SIGTERM ends, for what must not wait for it. */
export const STUBBORN = [
  '/bin/sh',
  '-c',
  'trap "" TERM; /bin/busybox httpd -p 80 -h /www; while :; do /bin/busybox sleep 1; done',
];

/**
 * A 2 MB image, Debian's static busybox serving a page on port 80, loaded into the engine behind the socket under a
 * name of its own. `addTo` puts more files into the folder that becomes its root. The engine's `load` is used since
 * its `import` forgets the tag on Podman 4.3.
 */
export async function loadTinyImage(
  socketPath: string,
  command: readonly string[] = ['/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/www'],
  volumes: readonly string[] = [],
  architecture = process.arch === 'x64' ? 'amd64' : process.arch,
  addTo: (root: string) => Promise<void> = () => Promise.resolve(),
  entrypoint: readonly string[] = [],
): Promise<TinyImage> {
  const name = `localhost/try-it-now-test-${randomBytes(6).toString('hex')}:tiny`;
  const folder = await mkdtemp(join(tmpdir(), 'tiny-image-'));
  try {
    const docker = new Dockerode({ host: '', socketPath });
    const archive = await writeArchive(folder, { name, command, volumes, architecture, addTo, entrypoint });
    const progress = await docker.loadImage(createReadStream(archive), { quiet: true });
    await new Promise((resolve, reject) =>
      docker.modem.followProgress(progress, (error) => (error === null ? resolve(undefined) : reject(error))),
    );
    return {
      name,
      port: 80,
      [Symbol.asyncDispose]: async () => {
        await docker
          .getImage(name)
          .remove({ force: true })
          .catch((error: unknown) => {
            if (statusOf(error) !== 404) throw error;
          });
      },
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface ImageContent {
  readonly name: string;
  readonly command: readonly string[];
  readonly volumes: readonly string[];
  readonly architecture: string;
  readonly addTo: (root: string) => Promise<void>;
  readonly entrypoint: readonly string[];
}

async function writeRoot(root: string, { name, addTo }: ImageContent): Promise<void> {
  for (const path of ['bin', 'etc', 'tmp', 'www/cgi-bin']) await mkdir(join(root, path), { recursive: true });
  await copyFile('/usr/bin/busybox', join(root, 'bin/busybox'));
  await symlink('busybox', join(root, 'bin/sh'));
  await writeFile(join(root, 'www/index.html'), '<!doctype html><title>Tiny</title><h1>Tiny</h1>\n');
  await writeFile(join(root, 'www/cgi-bin/env'), ENVIRONMENT_SCRIPT);
  await chmod(join(root, 'www/cgi-bin/env'), 0o755);
  await addTo(root);
  // A layer of its own as well: to inspect an image, Podman reads all that share its layer, also one on its way out.
  await writeFile(join(root, 'etc/image-name'), name);
}

/** In the format of `docker save`. */
async function writeArchive(folder: string, content: ImageContent): Promise<string> {
  const { name, command, volumes, architecture, entrypoint } = content;
  const root = join(folder, 'root');
  await writeRoot(root, content);
  const layer = join(folder, 'layer.tar');
  await run('tar', [
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '-C',
    root,
    '-cf',
    layer,
    '.',
  ]);
  const layerDigest = createHash('sha256')
    .update(await readFile(layer))
    .digest('hex');
  const created = '2026-01-01T00:00:00Z';
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({
      architecture,
      os: 'linux',
      created,
      // The name makes the image's id its own: removing one run's image cannot take another run's away.
      config: {
        ...(entrypoint.length > 0 ? { Entrypoint: entrypoint } : {}),
        Cmd: command,
        Env: ['PATH=/bin'],
        ExposedPorts: { '80/tcp': {} },
        Volumes: Object.fromEntries(volumes.map((path) => [path, {}])),
        Labels: { name },
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
      history: [{ created }],
    }),
  );
  await writeFile(
    join(folder, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }]),
  );
  const archive = join(folder, 'image.tar');
  await run('tar', ['-C', folder, '-cf', archive, 'manifest.json', 'config.json', 'layer.tar']);
  return archive;
}
