import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TryItNowError } from '../domain/errors.ts';
import { EXIT_CONFIG } from './exit-config.ts';
import { loadConfig } from './load.ts';
import { VARIABLE_NAMES } from './variables.ts';
import { config, file, problem, problems, read } from '../../test/support/config.ts';
import { anyText } from '../../test/support/any-text.ts';

describe('without any variable', () => {
  it('gives a configuration that runs on one host', () => {
    expect(config()).toMatchObject({
      server: {
        host: '127.0.0.1',
        port: 8080,
        publicUrl: 'http://localhost:8080',
        shutdownGraceMs: 10_000,
        shutdownDrainMs: 0,
        apiKeys: [],
        trustedProxies: [],
      },
      admin: { host: '127.0.0.1', port: 8081, operatorKeys: [] },
      valkey: { host: '127.0.0.1', port: 6379, password: undefined },
      nats: { url: 'nats://127.0.0.1:4222', token: undefined },
      proxy: {
        adminUrl: 'http://127.0.0.1:2019',
        listen: ':8000',
        internalUrls: ['http://127.0.0.1:8000'],
        address: { scheme: 'http', baseDomain: 'localhost', port: 8000 },
      },
      containers: { mode: 'auto', portRange: { start: 20_000, end: 29_999 }, portCoolDownMs: 12_000 },
      rateLimit: { hourly: 60, daily: 300 },
      queue: { workers: 4, ackWaitMs: 30_000 },
      checkpoints: { mode: 'auto', dir: '/var/lib/try-it-now/checkpoints' },
      databases: {},
      templates: [
        {
          name: 'default',
          title: 'hello',
          image: 'localhost/try-it-now/hello:latest',
          port: 3000,
          pool: { target: 3, max: 20, replenishThreshold: 0 },
          ttl: { defaultMs: 1_800_000, maxMs: 7_200_000 },
          maxAgeMs: 86_400_000,
        },
      ],
    });
  });

  it('warns of nothing and says that nothing was given', () => {
    const { warnings, explicit } = loadConfig({}, read);
    expect(warnings).toEqual([]);
    expect([...explicit]).toEqual([]);
  });

  it('is frozen all the way down', () => {
    const found = config();
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(found)).toBe(true);
    expect(() => {
      (found.server as { port: number }).port = 1;
    }).toThrow(TypeError);
  });
});

describe('a variable', () => {
  it('that is empty or blank counts as unset', () => {
    const { config: found, explicit } = loadConfig(
      { POOL_TARGET_SIZE: '', VALKEY_ADDR: '  ', API_KEY: '', API_KEY_FILE: '' },
      read,
    );
    expect(found).toEqual(config());
    expect(explicit.size).toBe(0);
  });

  it('of the pools that was given wins over a template only where that was asked for', () => {
    const text = 'templates:\n  - { name: a, image: b, port: 1, pool: { target: 2, max: 5 }, ttl: { default: 10m } }\n';
    const first = (env: Record<string, string>) =>
      loadConfig({ TEMPLATES_FILE: '/t.yaml', POOL_TARGET_SIZE: '4', ...env }, () => text).config.templates[0];
    expect(first({})).toMatchObject({ pool: { target: 2, max: 5 } });
    expect(first({ POOL_OVERRIDES_TEMPLATES: 'true', POOL_MAX_TTL: '1h' })).toMatchObject({
      pool: { target: 4, max: 5 },
      ttl: { defaultMs: 600_000, maxMs: 3_600_000 },
    });
    expect(() => first({ POOL_OVERRIDES_TEMPLATES: 'true', POOL_TARGET_SIZE: '9' })).toThrow(
      /POOL_TARGET_SIZE is 9 but/,
    );
  });

  it('that was given is known to have been given', () => {
    const { explicit } = loadConfig(
      { VALKEY_ADDR: '127.0.0.1:6379', NATS_URL: 'nats://queue:4222', HOME: '/root' },
      read,
    );
    expect([...explicit].sort()).toEqual(['NATS_URL', 'VALKEY_ADDR']);
  });

  it('is told of with its value, what is wrong, and what it must be', () => {
    expect(problem({ POOL_TARGET_SIZE: 'many' })).toBe(
      'POOL_TARGET_SIZE is "many"; it must be a whole number from 0 to 10000, such as 3',
    );
    expect(problem({ POOL_DEFAULT_TTL: '30' })).toMatch(
      /^POOL_DEFAULT_TTL is "30" \(the unit is missing\); it must be a duration .* such as 30m$/,
    );
  });

  it.each([
    ['POOL_TARGET_SIZE', '-1'],
    ['POOL_TARGET_SIZE', '1.5'],
    ['POOL_TARGET_SIZE', '1e3'],
    ['POOL_TARGET_SIZE', '0x10'],
    ['POOL_MAX_SIZE', '0'],
    ['POOL_REPLENISH_THRESHOLD', '1.1'],
    ['POOL_REPLENISH_INTERVAL', '1ms'],
    ['POOL_MAX_TTL', '1h30m'],
    ['POOL_MAX_TTL', '-1h'],
    ['CONTAINER_PORT_COOLDOWN', '9s'],
    ['CONTAINER_MODE', 'Podman'],
    ['CONTAINER_IMAGE', '--privileged'],
    ['CONTAINER_PORT', '65536'],
    ['BASE_DOMAIN', 'http://example.org'],
    ['BASE_DOMAIN', '10.0.0.1'],
    ['BASE_DOMAIN', `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}`],
    ['PROXY_LISTEN', '8000'],
    ['PUBLIC_SCHEME', 'ftp'],
    ['CADDY_ADMIN_URL', 'localhost:2019'],
    ['DISCOVERY_ADDR', 'localhost:53'],
    ['VALKEY_ADDR', 'redis://host:6379'],
    ['VALKEY_ADDR', '127.0.0.1'],
    ['VALKEY_ADDR', 'h:0'],
    ['NATS_URL', 'http://h:4222'],
    ['NATS_URL', 'nats://a:4222,tls://b:4222'],
    ['NATS_URL', ','],
    ['NATS_CREDS_FILE', 'nats.creds'],
    ['QUEUE_REPLICAS', '2'],
    ['PUBLIC_URL', 'https://h/?a=b'],
    ['SERVER_PORT', '80 80'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', '127.1'],
    ['LOG_LEVEL', 'loud'],
    ['DEPLOYMENT', 'Big'],
    ['NODE_NAME', 'a.b'],
    ['NODE_ADDRESS', '::1'],
    ['PROXY_ADDRESSES', '10.0.0.0/0'],
    ['PROXY_ADDRESSES', 'proxy.example.org'],
    ['PROXY_ADDRESSES', '10.0.0.1,::1'],
    ['CRIU_ENABLED', 'maybe'],
    ['CRIU_ENABLED', 'Auto'],
    ['CHECKPOINT_DIR', 'checkpoints'],
    ['DATABASE_SOCKET', 'mysqld.sock'],
    ['DATABASE_SOCKET', '/run/mysqld/'],
    ['DATABASE_SOCKET', '/run/my:sql/s'],
    ['DATABASE_SOCKET', `/run/${'a'.repeat(100)}/s.sock`],
    ['DATABASE_SOCKET', `/run/m/${'a'.repeat(90)}`],
    ['POSTGRES_SOCKET', '/run/postgresql/pg.sock'],
    ['POSTGRES_SOCKET', '/run/postgresql'],
    ['QUEUE_WORKER_COUNT', '0'],
  ])('%s refuses %s', (name, value) => {
    expect(problem({ [name]: value })).toMatch(new RegExp(`^${name} is .*; it must be `));
  });

  it.each([
    [{ POOL_MAX_TTL: '90m' }, { templates: [{ ttl: { maxMs: 5_400_000 } }] }],
    [{ POOL_REPLENISH_THRESHOLD: '0.25' }, { templates: [{ pool: { replenishThreshold: 0.25 } }] }],
    [{ VALKEY_ADDR: '[::1]:6380' }, { valkey: { host: '::1', port: 6380 } }],
    [{ CADDY_ADMIN_URL: 'http://127.0.0.1:2019/' }, { proxy: { adminUrl: 'http://127.0.0.1:2019' } }],
    [{ BASE_DOMAIN: 'Demo.Example.ORG' }, { proxy: { address: { baseDomain: 'demo.example.org' } } }],
    [{ TRUSTED_PROXIES: ' 10.0.0.0/8, ::1 ,' }, { server: { trustedProxies: ['10.0.0.0/8', '::1'] } }],
    [
      { NODE_ADDRESS: '10.0.0.3', PROXY_ADDRESSES: '10.0.0.1, 192.168.77.9/20' },
      { node: { address: '10.0.0.3', proxies: ['10.0.0.1/32', '192.168.64.0/20'] } },
    ],
    [{ CRIU_ENABLED: 'true' }, { checkpoints: { mode: 'on' } }],
    [{ CRIU_ENABLED: 'no' }, { checkpoints: { mode: 'off' } }],
    [{ CHECKPOINT_DIR: '/srv//checkpoints/../dumps/' }, { checkpoints: { dir: '/srv/dumps' } }],
    [
      { DATABASE_SOCKET: '/run/mysqld/mysqld.sock', DATABASE_PASSWORD: 'secret' },
      { databases: { mariadb: { socketPath: '/run/mysqld/mysqld.sock', user: 'root', password: 'secret' } } },
    ],
    [
      { POSTGRES_SOCKET: '/run/postgresql/.s.PGSQL.5433', POSTGRES_PASSWORD: 'secret' },
      {
        databases: {
          postgresql: { socketPath: '/run/postgresql/.s.PGSQL.5433', user: 'postgres', password: 'secret' },
        },
      },
    ],
    [{ RATE_LIMIT_HOURLY: '0' }, { rateLimit: { hourly: 0 } }],
    [
      { CONTAINER_IMAGE: 'registry.example.org:5000/team/board:1.2', CONTAINER_PORT: '80' },
      { templates: [{ title: 'board', port: 80 }] },
    ],
  ])('%j is taken', (env, expected) => {
    expect(config(env)).toMatchObject(expected);
  });
});

describe('several problems', () => {
  it('are all told at once', () => {
    const found = problems({
      POOL_TARGET_SIZE: 'x',
      LOG_LEVEL: 'loud',
      API_KEY: 'short',
      SERVER_PORT: '8000',
      CONTAINER_PORT_RANGE_START: '25000',
      CONTAINER_PORT_RANGE_END: '24000',
    });
    expect(found.map((text) => text.split(' ')[0]).sort()).toEqual([
      'API_KEY',
      'CONTAINER_PORT_RANGE_START',
      'LOG_LEVEL',
      'POOL_TARGET_SIZE',
      'SERVER_PORT',
    ]);
  });

  it('do not make others of values that were never meant', () => {
    expect(problems({ POOL_MAX_SIZE: 'x', POOL_TARGET_SIZE: '100' })).toHaveLength(1);
  });

  it('name misspelt variables too', () => {
    expect(() => loadConfig({ POOL_TARGT_SIZE: '5', LOG_LEVEL: 'loud' }, read)).toThrow(
      /POOL_TARGT_SIZE is set but .* did you mean POOL_TARGET_SIZE\?/,
    );
  });

  it('end the process with EX_CONFIG', () => {
    expect(EXIT_CONFIG).toBe(78);
  });
});

describe('whatever is set', () => {
  const tricky = fc.oneof(
    anyText(),
    fc.integer().map(String),
    fc.constantFrom(
      '0',
      '1',
      '65535',
      ':1',
      '[::]:1',
      'a:1',
      'http://[',
      'nats://x',
      'tls://[::1]:1',
      '1s',
      '1h',
      ',',
      '/',
      '{',
      '[::1',
    ),
  );

  it('either gives a configuration or is refused by name', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...VARIABLE_NAMES), tricky), tricky, (env, text) => {
        let told: string[] = [];
        try {
          expect(loadConfig(env, () => text).config.templates.length).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof TryItNowError) || error.code !== 'invalid_config') throw error;
          told = error.details?.['problems'] as string[];
          expect(told.length).toBeGreaterThan(0);
        }
        const lines = told.filter(
          (line) =>
            !['TEMPLATES_FILE', 'WEBHOOKS_FILE', 'BRANDING_FILE'].some((name) =>
              line.startsWith(`${env[name]?.trim() ?? '?'}:`),
            ),
        );
        for (const line of lines) expect(line).toMatch(/^[A-Z_]{7,}/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a secret', () => {
  const key = 'correct-horse-battery';

  it('comes from the environment or from a file, without the line end', () => {
    expect(config({ API_KEY: key }).server.apiKeys).toEqual([key]);
    expect(config({ API_KEY_FILE: file(`${key}\n`) }).server.apiKeys).toEqual([key]);
    expect(config({ VALKEY_PASSWORD_FILE: file(' keeps blanks \r\n') }).valkey.password).toBe(' keeps blanks ');
    expect(config({ NATS_TOKEN_FILE: file('token') }).nats.token).toBe('token');
  });

  it('of an operator may be one of several, apart from those of visitors', () => {
    expect(
      config({
        OPERATOR_KEYS_FILE: file(`${key}\nviewer:another-${key}\noperator:a-third-${key}\n`),
        API_KEY: `visitor-${key}`,
      }).admin.operatorKeys,
    ).toEqual([
      { key, role: 'admin' },
      { key: `another-${key}`, role: 'viewer' },
      { key: `a-third-${key}`, role: 'operator' },
    ]);
  });

  it('of a build may be for previews alone, of any template or of one', () => {
    expect(config({ OPERATOR_KEYS: `previews:${key},previews@shop-2:another-${key}` }).admin.operatorKeys).toEqual([
      { key, role: 'previews' },
      { key: `another-${key}`, role: 'previews', previewsOf: 'shop-2' },
    ]);
  });

  it.each(['previews@Shop:', 'previews@:', 'previews@shop', 'previews@a+b:', 'previews: '])(
    'of a build that cannot be read is refused, and no key that may everything: %s',
    (before) => {
      expect(problem({ OPERATOR_KEYS: `${before}${key}` })).toMatch(/^OPERATOR_KEYS has a value .*previews@TEMPLATE/);
    },
  );

  it.each([
    ...['auditor:', 'auditor@shop:', 'Viewer:', 'view-only:', 'viewer2:', 'ops.viewer:', 'tier1@shop:', '9f3a:', ':'],
    // As copied from a file where quotes are taken off.
    ...['"viewer:', "'viewer:", '"previews@shop:'],
  ])('of an operator has no role that there is not, such as one of a newer version: %s', (before) => {
    expect(problem({ OPERATOR_KEYS: `${before}${key}` })).toMatch(/^OPERATOR_KEYS has .*no role; .*`admin:`/);
    // Where it is a part of the key.
    expect(config({ OPERATOR_KEYS: `admin:${before}${key}` }).admin.operatorKeys[0]?.key).toBe(`${before}${key}`);
  });

  it('may be several keys', () => {
    expect(config({ API_KEY: `${key}, another-${key}` }).server.apiKeys).toEqual([key, `another-${key}`]);
  });

  it('is never shown', () => {
    for (const env of [
      { API_KEY: 'geheim' },
      { API_KEY: `${key},geheim` },
      { API_KEY_FILE: file('geheim') },
      { VALKEY_PASSWORD: 'geheim\u0007' },
      { NATS_TOKEN: 'geheim', NATS_TOKEN_FILE: file('geheim', 'token') },
      { NATS_URL: 'nats://user:geheim@host:4222' },
      { CADDY_ADMIN_URL: 'http://u:ge/heim@x y' },
    ]) {
      expect(problem(env)).not.toMatch(/ge\/?heim/);
    }
  });

  it('that is there but holds no key is wrong, or the API would stand open unnoticed', () => {
    expect(problem({ API_KEY: ' , ' })).toMatch(/^API_KEY has a value \(not shown\)/);
    expect(problem({ API_KEY_FILE: file('\n') })).toMatch(/^API_KEY_FILE names .* which is empty/);
  });

  it('says how a good key is made', () => {
    expect(problem({ API_KEY: 'short' })).toContain('openssl rand -hex 24');
  });

  it('given twice, or in a file that cannot be read, is wrong', () => {
    expect(problem({ API_KEY: key, API_KEY_FILE: file(key) })).toBe(
      'API_KEY and API_KEY_FILE are both set; remove one of them',
    );
    expect(problem({ NATS_TOKEN_FILE: '/nonexistent/token' })).toMatch(
      /^NATS_TOKEN_FILE names "\/nonexistent\/token", which cannot be read \(ENOENT/,
    );
  });
});

describe('addresses', () => {
  it('leave out the port that goes without saying', () => {
    expect(config({ PROXY_LISTEN: ':80' }).proxy.address.port).toBeUndefined();
    expect(config({ PUBLIC_SCHEME: 'https', PUBLIC_PORT: '443' }).proxy.address.port).toBeUndefined();
    expect(config({ PUBLIC_SCHEME: 'http', PUBLIC_PORT: '443' }).proxy.address.port).toBe(443);
    expect(config({ PUBLIC_PORT: '9000' }).proxy.address.port).toBe(9000);
  });

  it('follow what they are taken from', () => {
    expect(config({ SERVER_PORT: '9090' }).server.publicUrl).toBe('http://localhost:9090');
    expect(config({ PROXY_LISTEN: ':8001' }).proxy.internalUrls).toEqual(['http://127.0.0.1:8001']);
    expect(config({ PROXY_LISTEN: '10.1.2.3:8001' }).proxy.internalUrls).toEqual(['http://10.1.2.3:8001']);
    expect(config({ PROXY_LISTEN: '[::1]:8001' }).proxy.internalUrls).toEqual(['http://[::1]:8001']);
  });

  it('name one proxy or several', () => {
    const urls = 'http://10.1.2.3:8000, http://10.1.2.4:8000/';
    expect(config({ PROXY_INTERNAL_URL: urls }).proxy.internalUrls).toEqual([
      'http://10.1.2.3:8000',
      'http://10.1.2.4:8000',
    ]);
    expect(problem({ PROXY_INTERNAL_URL: 'http://10.1.2.3:8000,10.1.2.4:8000' })).toMatch(
      /^PROXY_INTERNAL_URL is ".+" \(an entry is not right\); it must be a list .+ such as http:\/\/127\.0\.0\.1:8000/,
    );
    expect(problem({ PROXY_INTERNAL_URL: ',' })).toMatch(/^PROXY_INTERNAL_URL/);
  });
});

describe('the catalogue file', () => {
  it('replaces the default template and takes its defaults from the variables', () => {
    const path = file(
      'templates:\n  - { name: a, image: one, port: 1 }\n  - { name: b, image: two, port: 2, pool: { target: 1 } }\n',
      'templates.yaml',
    );
    const { templates } = config({ TEMPLATES_FILE: path, POOL_TARGET_SIZE: '7', POOL_MAX_SIZE: '9' });
    expect(templates.map(({ name, pool }) => [name, pool.target, pool.max])).toEqual([
      ['a', 7, 9],
      ['b', 1, 9],
    ]);
  });

  it('that cannot be read is told of beside everything else', () => {
    const found = problems({ TEMPLATES_FILE: '/nonexistent.yaml', LOG_LEVEL: 'loud' });
    expect(found).toEqual([
      expect.stringMatching(/^LOG_LEVEL /),
      expect.stringMatching(/^TEMPLATES_FILE is "\/nonexistent\.yaml", which cannot be read/),
    ]);
  });

  it('counts the ports of all its templates together', () => {
    const path = file(
      'templates:\n  - { name: a, image: one, port: 1, pool: { max: 6 } }\n  - { name: b, image: two, port: 2, ' +
        'pool: { max: 6 } }\n',
    );
    expect(problem({ TEMPLATES_FILE: path, CONTAINER_PORT_RANGE_END: '20010' })).toMatch(
      /has 11 ports but the pools may hold 12/,
    );
  });
});
