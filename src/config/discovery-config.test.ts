import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { file, read } from '../../test/support/config.ts';
import { DISCOVERY_VARIABLES, loadDiscoveryConfig } from './discovery-config.ts';
import type { Environment } from './environment.ts';
import { RELAY_VARIABLES, loadRelayConfig } from './relay-config.ts';
import { VARIABLES, VARIABLE_NAMES, type VariableName } from './variables.ts';

const NAMES: readonly VariableName[] = VARIABLE_NAMES;

/** Wrong, or in a file that only root may read. */
function ofOthers(names: readonly VariableName[]): Environment {
  const others = NAMES.filter((name) => !names.includes(name));
  return Object.fromEntries(
    others.map((name) => (VARIABLES[name].secret ? [`${name}_FILE`, `/secrets/${name}`] : [name, `/secrets/${name}`])),
  );
}

describe('discovery', () => {
  const own = {
    VALKEY_URL: 'valkey://10.0.0.1:6379',
    BASE_DOMAIN: 'demo.example.org',
    PUBLIC_URL: 'https://try.example.org',
    DISCOVERY_ADDR: '127.0.0.1:20001',
    DISCOVERY_METRICS_ADDR: '127.0.0.1:20002',
    DISCOVERY_SNAPSHOT_FILE: '/var/lib/try-it-now-discovery/hostnames.json',
    LOG_LEVEL: 'debug',
  };

  it('has what is set', () => {
    expect(loadDiscoveryConfig(own, read)).toEqual({
      log: { level: 'debug' },
      valkey: { host: '10.0.0.1', port: 6379 },
      discovery: {
        host: '127.0.0.1',
        port: 20_001,
        metrics: { host: '127.0.0.1', port: 20_002 },
        snapshotFile: own.DISCOVERY_SNAPSHOT_FILE,
      },
      baseDomain: 'demo.example.org',
      startPageHost: 'try.example.org',
    });
    expect(loadDiscoveryConfig({}, read).startPageHost).toBe('localhost');
  });

  it('takes no notice of what only others use, nor reads their files', () => {
    expect(loadDiscoveryConfig({ ...own, ...ofOthers(DISCOVERY_VARIABLES) }, read)).toEqual(
      loadDiscoveryConfig(own, read),
    );
  });

  it.each([
    ['a brand of a template', { BRANDING_FILE: 'templates: { shop: { title: Shop } }' }],
    ['a database server that hosts share', { DATABASE_SERVER_URL: 'mariadb://10.0.0.9' }],
    ['a file of the server alone', { POSTGRES_PASSWORD_FILE: '/nowhere' }],
    ['a port that another setting leaves to it', { ADMIN_ADDR: '127.0.0.1:9000', VALKEY_ADDR: '127.0.0.1:8081' }],
  ])('starts with %s', (_, env) => {
    const { BRANDING_FILE: brand } = env as Environment;
    const given = brand === undefined ? env : { BRANDING_FILE: file(brand) };
    expect(() => loadDiscoveryConfig(given, read)).not.toThrow();
  });

  it('reads the copies that its unit hands over in place of files that it may not read', () => {
    const secrets = {
      VALKEY_URL: 'valkey+sentinel://10.0.0.1:26379/try-it-now',
      VALKEY_PASSWORD_FILE: '/etc/try-it-now/secrets/valkey-password',
      VALKEY_SENTINEL_PASSWORD_FILE: '/etc/try-it-now/secrets/valkey-sentinel-password',
    };
    const folder = dirname(file('one', 'valkey-password'));
    writeFileSync(join(folder, 'valkey-sentinel-password'), 'two');
    const { valkey } = loadDiscoveryConfig({ ...secrets, CREDENTIALS_DIRECTORY: folder }, read);
    expect(valkey).toMatchObject({ password: 'one', sentinel: { password: 'two' } });

    // One that is not set is not made up, and one that is not handed over is told of by its own path.
    expect(loadDiscoveryConfig({ CREDENTIALS_DIRECTORY: folder }, read).valkey.password).toBeUndefined();
    const tls = { VALKEY_URL: 'valkeys://10.0.0.1', VALKEY_CERT_FILE: '/x.crt', VALKEY_KEY_FILE: '/x.key' };
    expect(() => loadDiscoveryConfig({ ...tls, CREDENTIALS_DIRECTORY: folder }, read)).toThrow('"/x.key"');
    writeFileSync(join(folder, 'valkey-key'), 'no key');
    expect(() => loadDiscoveryConfig({ ...tls, CREDENTIALS_DIRECTORY: folder }, read)).toThrow(
      `VALKEY_KEY_FILE names "${join(folder, 'valkey-key')}"`,
    );
  });

  it('tells of its own settings as the server does', () => {
    expect(() => loadDiscoveryConfig({ VALKEY_ADDR: 'nowhere', VALKEY_USER: 'us' }, read)).toThrow(
      expect.objectContaining({ code: 'invalid_config', message: expect.stringContaining('has 2 problems') as string }),
    );
  });
});

describe('the database relay', () => {
  const own = {
    DATABASE_SOCKET: '/run/try-it-now-database/mariadb/mysqld.sock',
    DATABASE_SERVER_URL: 'mariadb://10.0.0.9',
    LOG_LEVEL: 'warn',
  };

  it('takes no notice of what only others use, nor reads their files', () => {
    expect(loadRelayConfig({ ...own, ...ofOthers(RELAY_VARIABLES) }, read)).toEqual({
      log: { level: 'warn' },
      relays: [{ engine: 'mariadb', socketPath: own.DATABASE_SOCKET, server: { host: '10.0.0.9', port: 3306 } }],
    });
  });

  it('tells of its own settings as the server does', () => {
    expect(() => loadRelayConfig({ POSTGRES_SERVER_URL: 'postgresql://10.0.0.9' }, read)).toThrow(
      'POSTGRES_SERVER_URL is set but POSTGRES_SOCKET is not',
    );
  });
});
