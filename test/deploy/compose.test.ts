import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';

const COMPOSE = fileURLToPath(new URL('../../deploy/compose', import.meta.url));

interface Service {
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly network_mode?: string;
  readonly privileged?: boolean;
  readonly cap_drop?: readonly string[];
  readonly volumes?: readonly string[];
  readonly image?: string;
  readonly build?: unknown;
  readonly read_only?: boolean;
  readonly user?: string;
}

/** `${NAME:-default}` as Compose reads it with an empty .env. */
function withDefaults(text: string): string {
  return text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
}

async function services(): Promise<Readonly<Record<string, Service>>> {
  return (
    parse(withDefaults(await readFile(join(COMPOSE, 'compose.yaml'), 'utf8')), { merge: true }) as {
      readonly services: Readonly<Record<string, Service>>;
    }
  ).services;
}

describe('the compose file', () => {
  it('gives the programs settings that they accept, and no more rights than they need', async () => {
    const all = await services();
    for (const name of ['server', 'discovery']) {
      const service = all[name];
      const {
        API_KEY_FILE: apiKeyFile,
        OPERATOR_KEYS_FILE: keysFile,
        OPERATOR_KEY_FILE: keyFile,
        ...environment
      } = service?.environment ?? {};
      expect(apiKeyFile === undefined).toBe(name === 'discovery');
      expect(
        [apiKeyFile, keysFile, keyFile].filter(
          (file) => file !== undefined && !service?.volumes?.some((volume) => volume.includes(`:${String(file)}:ro`)),
        ),
      ).toEqual([]);
      expect(() =>
        loadConfig(Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, String(value)]))),
      ).not.toThrow();
      expect(service?.cap_drop).toEqual(['ALL']);
    }
    expect(Object.values(all).filter(({ privileged }) => privileged === true)).toEqual([]);
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

  it('mounts files that are there', async () => {
    const mounted = Object.values(await services())
      .flatMap(({ volumes }) => volumes ?? [])
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((path) => path.startsWith('.') && !path.startsWith('./secrets/'));
    expect(mounted.length).toBeGreaterThan(2);
    for (const path of mounted) expect((await readFile(join(COMPOSE, path), 'utf8')).length).toBeGreaterThan(0);
  });
});
