import { execFile } from 'node:child_process';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { composeServices, requireSoundSettings, secretFiles } from '../support/compose-file.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMPOSE = join(ROOT, 'deploy/compose');
const run = promisify(execFile);

const services = (): ReturnType<typeof composeServices> => composeServices(join(COMPOSE, 'compose.yaml'));

describe('the compose file', () => {
  it('gives the programs settings that they accept, and no more rights than they need', async () => {
    const all = await services();
    for (const name of ['server', 'discovery']) {
      const service = all[name] ?? {};
      const files = secretFiles(service);
      expect(files.length).toBe(name === 'discovery' ? 0 : 3);
      expect(files.filter((file) => !service.volumes?.some((volume) => volume.includes(`:${file}:ro`)))).toEqual([]);
      expect(() => requireSoundSettings(service)).not.toThrow();
      expect(service.cap_drop).toEqual(['ALL']);
    }
    expect(Object.values(all).filter(({ privileged }) => privileged === true)).toEqual([]);
  });

  it('lets the server read keys that somebody who is not root has drawn', async () => {
    const { server = {} } = await services();
    const folder = await mkdtemp(join(tmpdir(), 'tin-compose-'));
    try {
      const key = join(folder, 'api-key');
      await writeFile(key, 'drawn', { mode: 0o600 });
      await chown(key, 1000, 1000);
      // Root with no other rights than the container's, as Docker starts it.
      const rights = ['-all', ...(server.cap_add ?? []).map((name) => `+${name.toLowerCase()}`)].join(',');
      expect((await run('setpriv', [`--bounding-set=${rights}`, 'cat', key])).stdout).toBe('drawn');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('runs parts of others by digest, and every part unprivileged in a file system it cannot write to', async () => {
    const { hello, ...parts } = await services();
    expect(hello).toBeDefined();
    for (const [name, { image, build, read_only: readOnly, cap_drop: dropped, user }] of Object.entries(parts)) {
      expect([name, readOnly, dropped]).toEqual([name, true, ['ALL']]);
      if (build === undefined)
        expect([name, image]).toEqual([name, expect.stringMatching(/:[\w.-]+@sha256:[0-9a-f]{64}$/)]);
      if (name !== 'server' && name !== 'owners')
        expect([name, user]).toEqual([name, expect.stringMatching(/^[1-9]\d*:/)]);
    }
  });

  it('keeps the secrets that are drawn for it out of git, and out of the image that is built', async () => {
    const ignored = await run('git', ['check-ignore', 'deploy/compose/secrets/api-key'], { cwd: ROOT });
    expect(ignored.stdout.trim()).toBe('deploy/compose/secrets/api-key');
    const kept = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
    expect(kept.indexOf('deploy/compose/secrets')).toBeGreaterThan(kept.indexOf('!deploy'));
  });

  it('mounts files that are there', async () => {
    const mounted = Object.values(await services())
      .flatMap(({ volumes }) => volumes ?? [])
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((path) => path.startsWith('.') && !path.startsWith('./secrets/'));
    expect(mounted.length).toBeGreaterThan(2);
    for (const path of mounted) expect((await readFile(join(COMPOSE, path), 'utf8')).length).toBeGreaterThan(0);
  });
});
