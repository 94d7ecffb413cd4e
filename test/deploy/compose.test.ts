import { execFile } from 'node:child_process';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { DISCOVERY_VARIABLES } from '../../src/config/discovery-config.ts';
import { unknownVariables } from '../../src/config/environment.ts';
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

  it('hands every setting of .env to the server, and to discovery what it reads and no secret besides', async () => {
    const settings: Readonly<Record<string, string>> = {
      COMPOSE_PROJECT_NAME: 'mine',
      CADDY_IMAGE: 'localhost/caddy',
      NATS_IMAGE: 'localhost/nats',
      VALKEY_IMAGE: 'localhost/valkey',
      TRY_IT_NOW_IMAGE: 'localhost/program',
      DOCKER_SOCKET: '/elsewhere/docker.sock',
      RATE_LIMIT_HOURLY: '5',
      TRUSTED_PROXIES: '10.0.0.0/8',
      TEMPLATES_FILE: '/files/templates.yaml',
      OIDC_CLIENT_SECRET: 'secret',
      ...Object.fromEntries(DISCOVERY_VARIABLES.map((name) => [name, `mine: ${name}`])),
      VALKEY_PASSWORD_FILE: '/files/valkey-password',
      VALKEY_SENTINEL_PASSWORD_FILE: '/files/sentinel-password',
    };
    const { server = {}, discovery = {} } = await composeServices(join(COMPOSE, 'compose.yaml'), settings);
    expect(server.env_file).toEqual(['.env']);
    expect(discovery.env_file).toBeUndefined();
    const given: Record<string, unknown> = { ...settings, ...server.environment };
    for (const [name, value] of Object.entries(settings))
      expect([name, given[name]]).toEqual([name, name === 'DOCKER_SOCKET' ? '/var/run/docker.sock' : value]);
    expect(unknownVariables(settings)).toEqual([]);

    const read = [...DISCOVERY_VARIABLES, 'VALKEY_PASSWORD_FILE', 'VALKEY_SENTINEL_PASSWORD_FILE'] as const;
    expect(discovery.environment).toEqual(Object.fromEntries(read.map((name) => [name, settings[name]])));
    for (const { volumes } of [server, discovery]) expect(volumes).toContain('./files:/files:ro');
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

  it('keeps secrets and what is set for it out of git, and out of the image that is built', async () => {
    const files = ['deploy/compose/secrets/api-key', 'deploy/compose/files/webhooks.yaml'];
    const ignored = await run('git', ['check-ignore', ...files], { cwd: ROOT });
    expect(ignored.stdout.trim().split('\n')).toEqual(files);
    const kept = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
    for (const path of ['secrets', 'files', '.env'])
      expect(kept.indexOf(`deploy/compose/${path}`)).toBeGreaterThan(kept.indexOf('!deploy'));
  });

  it('mounts files that are there', async () => {
    const mounted = Object.values(await services())
      .flatMap(({ volumes }) => volumes ?? [])
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((path) => path.startsWith('.') && !path.startsWith('./secrets/') && path !== './files');
    expect(mounted.length).toBeGreaterThan(2);
    for (const path of mounted) expect((await readFile(join(COMPOSE, path), 'utf8')).length).toBeGreaterThan(0);
  });
});
