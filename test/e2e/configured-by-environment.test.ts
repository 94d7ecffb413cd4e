import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { launchMariadb } from '../../src/launcher/mariadb.ts';
import { launchPostgres } from '../../src/launcher/postgresql.ts';
import { launchEngine, titleFor, whyWithout } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';

const PATIENT = { timeoutMs: 120_000 };
const run = promisify(execFile);
const buildScript = fileURLToPath(new URL('../../scripts/build-image.sh', import.meta.url));

/** Starts with every one of its settings in the environment and not at all without, as Keycloak's image does. */
const START = `set -eu
: "\${KC_DB_URL:?}" "\${KC_DB_USERNAME:?}" "\${KC_DB_PASSWORD:?}" "\${KC_HOSTNAME:?}" "\${KC_ADMIN_PASSWORD:?}"
php -r 'new PDO(getenv("KC_DB_URL"), getenv("KC_DB_USERNAME"), getenv("KC_DB_PASSWORD"));'
exec php -S 0.0.0.0:8080 /srv/index.php`;
const PAGE = `<?php
$db = new PDO(getenv("KC_DB_URL"), getenv("KC_DB_USERNAME"), getenv("KC_DB_PASSWORD"));
$greeting = $db->query("SELECT text FROM greeting")->fetchColumn();
echo json_encode([$greeting, getenv("KC_HOSTNAME"), getenv("KC_ADMIN_PASSWORD"), getenv("KC_DB_USERNAME")]);`;

function catalogue(): string {
  const templates = [
    ['mariadb', 'phpmyadmin', 'mysql:unix_socket=${TRY_IT_NOW_DATABASE_SOCKET}'],
    ['postgresql', 'adminer', 'pgsql:host=/run/try-it-now/database'],
  ].map(([engine, image, server]) => ({
    name: `with-${engine}`,
    image: `localhost/try-it-now/${image}:latest`,
    port: 8080,
    entrypoint: ['/bin/sh', '-c', START],
    files: [{ path: '/srv/index.php', content: PAGE }],
    env: {
      KC_DB_URL: `${server};dbname=\${TRY_IT_NOW_DATABASE_NAME}`,
      KC_DB_USERNAME: '${TRY_IT_NOW_DATABASE_USER}',
      KC_DB_PASSWORD: '${TRY_IT_NOW_DATABASE_PASSWORD}',
      KC_HOSTNAME: '${TRY_IT_NOW_URL}',
      KC_ADMIN_PASSWORD: '${TRY_IT_NOW_SEED}',
    },
    database: { engine, seed: 'seed.sql' },
    pool: { target: 2, max: 2, replenish_threshold: 0 },
  }));
  return JSON.stringify({ templates });
}

const asked = process.env['GALLERY'] === '1';
if (!asked) process.stdout.write('Skipped: images told all by their environment; `npm run gallery` runs them.\n');

describe.skipIf(!asked || whyWithout('podman') !== undefined)(
  `an image that is configured by its environment, on ${titleFor('podman')}`,
  () => {
    const cleanups = new Cleanups('the images');
    let stack: Stack;
    beforeAll(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'try-it-now-environment-'));
      cleanups.push(() => rm(folder, { recursive: true }));
      // The accounts of the database servers have to pass through.
      await chmod(folder, 0o711);
      const mariadb = await launchMariadb({ dir: join(folder, 'mariadb') });
      cleanups.push(() => mariadb[Symbol.asyncDispose]());
      const postgres = await launchPostgres({ dir: join(folder, 'postgres') });
      cleanups.push(() => postgres[Symbol.asyncDispose]());
      for (const example of ['phpmyadmin', 'adminer']) await run(buildScript, [example, '--engine', 'podman']);
      const file = join(folder, 'templates.yaml');
      await writeFile(file, catalogue());
      await writeFile(
        join(folder, 'seed.sql'),
        "CREATE TABLE greeting (text VARCHAR(20));\nINSERT INTO greeting VALUES ('welcome');\n",
      );
      const env = {
        DATABASE_SOCKET: mariadb.socketPath,
        DATABASE_USER: mariadb.user,
        DATABASE_PASSWORD: mariadb.password,
        POSTGRES_SOCKET: postgres.socketPath,
        POSTGRES_USER: postgres.user,
        POSTGRES_PASSWORD: postgres.password,
      };
      const podman = await launchEngine('podman');
      cleanups.push(() => podman[Symbol.asyncDispose]());
      const { templates } = loadConfig({ ...env, TEMPLATES_FILE: file }).config;
      stack = await startStack({ engine: 'podman', socketPath: podman.socketPath, templates, env });
      cleanups.push(() => stack[Symbol.asyncDispose]());
    }, 600_000);
    afterAll(() => cleanups[Symbol.asyncDispose]());

    it.each(['with-mariadb', 'with-postgresql'])('%s: each instance has what is its own', async (template) => {
      const acquire = async (): Promise<string> =>
        eventually(async () => {
          const { statusCode, body } = await request(`${stack.api}/api/v1/demo/acquire`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ template }),
          });
          const answer = (await body.json()) as { readonly url: string };
          expect(statusCode, JSON.stringify(answer)).toBeLessThan(300);
          return answer.url;
        }, PATIENT);
      const seen = [];
      for (const url of [await acquire(), await acquire()]) {
        const { body } = await request(stack.proxy, { headers: { host: new URL(url).host } });
        const [greeting, hostname, ...secrets] = (await body.json()) as string[];
        expect([greeting, hostname]).toEqual(['welcome', url]);
        seen.push(...secrets);
      }
      expect(new Set(seen).size).toBe(4);
    });
  },
);
