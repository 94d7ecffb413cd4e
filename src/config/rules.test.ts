import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Environment } from './environment.ts';
import { loadConfig } from './load.ts';
import { DEFAULT_DUMP } from '../domain/template.ts';
import { config, file, problem, problems, read } from '../../test/support/config.ts';

describe('variables that must fit each other', () => {
  it.each([
    [
      { POOL_TARGET_SIZE: '30' },
      /^POOL_TARGET_SIZE is 30 but POOL_MAX_SIZE is 20: .* lower the first or raise the second$/,
    ],
    [{ POOL_DEFAULT_TTL: '3h' }, /^POOL_DEFAULT_TTL is 3h but POOL_MAX_TTL is 2h: /],
    [{ POOL_MAX_AGE: '1h' }, /^POOL_MAX_TTL is 2h but POOL_MAX_AGE is 1h: /],
    [
      { POOL_DEFAULT_TTL: '2h', POOL_MAX_AGE: '3h' },
      /^POOL_DEFAULT_TTL is 2h but POOL_MAX_AGE is 3h: .* at least twice/,
    ],
    [
      { CONTAINER_PORT_RANGE_START: '29999' },
      /^CONTAINER_PORT_RANGE_START is 29999 but CONTAINER_PORT_RANGE_END is 29999: /,
    ],
    [{ CONTAINER_PORT_RANGE_END: '20010' }, /has 11 ports but the pools may hold 20 instances.* NODE_CAPACITY/],
    [
      { CONTAINER_PORT_RANGE_END: '20010', NODE_CAPACITY: '12' },
      /has 11 ports but NODE_CAPACITY lets this host hold 12 instances/,
    ],
    [{ SERVER_PORT: '25000' }, /^SERVER_PORT uses port 25000, which is between CONTAINER_PORT_RANGE_START/],
    [{ SERVER_PORT: '8000' }, /^SERVER_PORT and PROXY_LISTEN both use port 8000/],
    [{ SERVER_PORT: '8081' }, /^SERVER_PORT and ADMIN_ADDR both use port 8081/],
    [
      { API_KEY: 'correct-horse-battery', OPERATOR_KEYS: 'another-key-of-length,correct-horse-battery' },
      /^OPERATOR_KEYS has a key that API_KEY has as well, so a visitor could act as an operator; draw another/,
    ],
    [{ VALKEY_ADDR: 'localhost:4222' }, /^VALKEY_ADDR and NATS_URL both use port 4222/],
    [
      { NATS_URL: 'nats://elsewhere:4222, nats://127.0.0.1:6379' },
      /^VALKEY_ADDR and NATS_URL both use port 6379; give one of them another port$/,
    ],
    [
      { NATS_TOKEN: 'geheim', NATS_CREDS_FILE: '/etc/nats.creds' },
      /^NATS_TOKEN and NATS_CREDS_FILE are all set, but one login is enough for NATS; unset the others$/,
    ],
    [{ NATS_USER: 'worker' }, /^NATS_USER is set but NATS_PASSWORD is not; set both, or neither$/],
    [{ NATS_PASSWORD: 'geheim' }, /^NATS_PASSWORD is set but NATS_USER is not; set both, or neither$/],
    [{ NATS_KEY_FILE: '/etc/nats.key' }, /^NATS_KEY_FILE is set but NATS_CERT_FILE is not; set both, or neither$/],
    [
      { CRIU_ENABLED: 'true', CONTAINER_MODE: 'docker' },
      /^CRIU_ENABLED is true but CONTAINER_MODE is docker: only Podman restores .*=podman, or CRIU_ENABLED=auto/,
    ],
    [{ CRIU_ENABLED: 'true', CONTAINER_MODE: 'simulated' }, /^CRIU_ENABLED is true but CONTAINER_MODE is simulated: /],
    [{ NODE_ADDRESS: '203.0.113.7' }, /^NODE_ADDRESS is 203\.0\.113\.7, a public address, .*private network/],
    [{ PROXY_ADDRESSES: '10.0.0.1' }, /^PROXY_ADDRESSES is set but NODE_ADDRESS is 127\.0\.0\.1, which no other host/],
    [{ PUBLIC_SCHEME: 'https' }, /^PUBLIC_SCHEME is https but PROXY_LISTEN is :8000, .*PUBLIC_PORT=443$/],
  ])('%j does not', (env, message) => {
    expect(problem(env)).toMatch(message);
  });

  it('may have fewer ports than the pools hold where further hosts hold the rest', () => {
    expect(problems({ CONTAINER_PORT_RANGE_END: '20010', NODE_CAPACITY: '11' })).toEqual([]);
  });

  it('need not differ in their ports when they are on other hosts', () => {
    expect(problems({ VALKEY_ADDR: 'valkey:8080', NATS_URL: 'nats://queue:25000' })).toEqual([]);
    expect(config({ NATS_URL: 'tls://a:25000, tls://b:25000' }).nats.url).toBe('tls://a:25000,tls://b:25000');
  });
});

describe('a template with a database', () => {
  it('needs a server whose administrator has a password, for its instances reach the same socket', () => {
    const socket = { DATABASE_SOCKET: '/run/mysqld/mysqld.sock' };
    const withDatabase = file(
      `templates: [{ name: shop, image: a, port: 1, database: { seed: ${file('', 'shop.sql')} } }]`,
      'templates.yaml',
    );
    expect(problem({ ...socket, TEMPLATES_FILE: withDatabase })).toMatch(
      /^DATABASE_PASSWORD is not set but the template shop has a database: .*DATABASE_PASSWORD_FILE$/,
    );
    expect(
      config({ ...socket, TEMPLATES_FILE: withDatabase, DATABASE_PASSWORD_FILE: file('secret\n') }).databases,
    ).toEqual({ mariadb: { socketPath: '/run/mysqld/mysqld.sock', user: 'root', password: 'secret' } });
    expect(config(socket).databases).toEqual({});
  });
});

describe('the folder of the database socket', () => {
  const withSocket = (path: string, env: Environment = {}) => ({
    DATABASE_SOCKET: path,
    DATABASE_PASSWORD: 'secret',
    ...env,
  });
  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'try-it-now-database-'));
    onTestFinished(() => rmSync(made, { recursive: true }));
    return made;
  };

  it.each(['/tmp', '/run', '/var/run', '/var/lib/mysql', '/var/lib', '/data', '/var/tmp', '/var/run/../lib', ''])(
    'may not be %s, where more than the socket would go to the instances',
    (place) => {
      expect(problem(withSocket(`${place}/mysqld.sock`))).toMatch(
        /^DATABASE_SOCKET is .*, but .* holds what others put there too; .*such as \/run\/mysqld\/mysqld\.sock$/,
      );
    },
  );

  it('may not lead to such a folder by a link', () => {
    const link = join(folder(), 'link');
    symlinkSync('/tmp', link);
    expect(problem(withSocket(`${link}/mysqld.sock`))).toContain('/tmp holds what others put there too');
  });

  it('may not hold the databases themselves', () => {
    const place = folder();
    writeFileSync(join(place, 'ibdata1'), '');
    expect(problem(withSocket(join(place, 'mysqld.sock')))).toContain(`${place} holds the data of every database`);
    const postgresql = folder();
    writeFileSync(join(postgresql, 'PG_VERSION'), '15');
    expect(problem({ POSTGRES_SOCKET: join(postgresql, '.s.PGSQL.5432') })).toMatch(
      /^POSTGRES_SOCKET is .* holds the data of every database; have PostgreSQL .*unix_socket_directories/,
    );
  });

  it.each(['PODMAN_SOCKET', 'DOCKER_SOCKET', 'CHECKPOINT_DIR'])('may not hold %s', (name) => {
    expect(problem(withSocket('/srv/demo/mysqld.sock', { [name]: '/srv/demo/deeper/one' }))).toContain(
      `${name} ("/srv/demo/deeper/one") is inside it`,
    );
  });

  it('may be one of its own', () => {
    expect(problems(withSocket('/run/mysqld/mysqld.sock'))).toEqual([]);
    expect(problems(withSocket(join(folder(), 'mysqld.sock')))).toEqual([]);
  });
});

describe('CHECKPOINT_PATH', () => {
  const catalogue = (...lines: string[]): string =>
    file(`templates:\n${lines.map((line) => `  - { ${line} }\n`).join('')}`, 'templates.yaml');

  it('is for the default template', () => {
    const archive = file('', 'board.tar');
    expect(config({ CHECKPOINT_PATH: archive }).templates[0]?.checkpoint).toEqual({
      enabled: true,
      file: archive,
      warmup: [],
      check: undefined,
      dump: DEFAULT_DUMP,
    });
    const two = config({
      CHECKPOINT_PATH: archive,
      TEMPLATES_FILE: catalogue('name: a, image: a, port: 1', 'name: b, image: b, port: 1'),
    });
    expect(two.templates.map((each) => each.checkpoint.file)).toEqual([archive, undefined]);
  });

  it('stands back where the template names one of its own, or wants none', () => {
    const own = file('', 'own.tar');
    const archive = file('', 'board.tar');
    const { config: found, warnings } = loadConfig(
      {
        CHECKPOINT_PATH: archive,
        TEMPLATES_FILE: catalogue(`name: a, image: a, port: 1, checkpoint: { file: ${own} }`),
      },
      read,
    );
    expect(found.templates[0]?.checkpoint.file).toBe(own);
    expect(warnings).toEqual([
      'CHECKPOINT_PATH is not used, because the template a names a checkpoint.file of its own',
    ]);
    expect(
      loadConfig(
        {
          CHECKPOINT_PATH: archive,
          TEMPLATES_FILE: catalogue('name: a, image: a, port: 1, checkpoint: { enabled: false }'),
        },
        read,
      ).warnings,
    ).toEqual([expect.stringMatching(/checkpoint\.enabled: false$/)]);
  });

  it('must name a file', () => {
    expect(problem({ CHECKPOINT_PATH: '/nonexistent/board.tar' })).toBe(
      'CHECKPOINT_PATH is "/nonexistent/board.tar" (there is no file /nonexistent/board.tar); it must be the ' +
        'archive (.tar) of a checkpoint',
    );
    expect(problem({ CHECKPOINT_PATH: tmpdir() })).toMatch(
      /^CHECKPOINT_PATH is .* is a folder\); it must be the archive/,
    );
  });

  it('is not checked where checkpoints are off', () => {
    expect(problems({ CHECKPOINT_PATH: '/nonexistent/board.tar', CRIU_ENABLED: 'false' })).toEqual([]);
  });
});

describe('the public address', () => {
  it('of the start page has no path', () => {
    expect(problem({ PUBLIC_URL: 'http://localhost:8080/try' })).toBe(
      'PUBLIC_URL is http://localhost:8080/try, but the start page cannot live below the path /try: its links and ' +
        'forms begin at the root of their host; give it a host name of its own and set ' +
        'PUBLIC_URL=http://localhost:8080',
    );
  });

  it.each(['localhost', 'demo.localhost'])('of instances is not %s where the start page is for everybody', (domain) => {
    expect(problem({ PUBLIC_URL: 'http://192.0.2.1:8080', BASE_DOMAIN: domain })).toMatch(
      /^PUBLIC_URL is .* but BASE_DOMAIN is .*localhost, which every browser takes for its own machine/,
    );
  });

  it.each(['http://localhost:8080', 'http://127.0.0.1:8080/', 'http://try.localhost'])(
    'of instances is localhost where the start page is %s',
    (PUBLIC_URL) => {
      expect(problems({ PUBLIC_URL })).toEqual([]);
    },
  );
});

describe('warnings', () => {
  const warnings = (env: Environment): readonly string[] => loadConfig(env, read).warnings;

  it.each([
    [{ POOL_TARGT_SIZE: '5' }, /^POOL_TARGT_SIZE .* did you mean POOL_TARGET_SIZE\?$/],
    [{ API_KEYS: 'x' }, /did you mean API_KEY\?$/],
    [{ API_KEY_FLE: 'x' }, /did you mean API_KEY_FILE\?$/],
    [{ TRY_IT_NOW_LOG_LEVEL: 'x' }, /did you mean LOG_LEVEL\?$/],
    [{ POOL_SOMETHING_ELSE: 'x' }, /^POOL_SOMETHING_ELSE .*docs\/reference\/config\.md/],
    [{ CRIU_ENABLE: 'true' }, /did you mean CRIU_ENABLED\?$/],
    [{ DATABASE_USER: 'keeper' }, /^DATABASE_USER is not used, because DATABASE_SOCKET is not set/],
    [{ DATABASE_PASSWORD: 'secret' }, /^DATABASE_PASSWORD is not used, because DATABASE_SOCKET is not set/],
    [
      { CONTAINER_PORT_RANGE_START: '32000', CONTAINER_PORT_RANGE_END: '33000' },
      /overlaps the kernel's own range 32768 to 60999/,
    ],
    [{ SERVER_HOST: '0.0.0.0' }, /^SERVER_HOST \(0\.0\.0\.0\) lets other machines in and API_KEY is not set/],
    [
      { ADMIN_ADDR: '0.0.0.0:8081' },
      /^ADMIN_ADDR \(0\.0\.0\.0\) lets other machines reach the admin API, .* clear text/,
    ],
    [
      { SERVER_HOST: '0.0.0.0', API_KEY: 'k'.repeat(16) },
      /^SERVER_HOST .* lets other machines in and BASE_DOMAIN is localhost, which every browser takes for its own/,
    ],
    [
      { PUBLIC_SCHEME: 'https', PUBLIC_PORT: '443', BASE_DOMAIN: 'demo.example.org' },
      /^PUBLIC_SCHEME is https, .* TRUSTED_PROXIES is empty: all visitors count as one .* TRUSTED_PROXIES=127/,
    ],
    [
      { PUBLIC_URL: 'https://try.example.org', BASE_DOMAIN: 'demo.example.org' },
      /^PUBLIC_URL is https:\/\/try\.example\.org, .* TRUSTED_PROXIES is empty/,
    ],
    [
      {
        PUBLIC_URL: 'http://try.example.org',
        BASE_DOMAIN: 'demo.example.org',
        ALLOWED_ORIGINS: 'http://a.example,https://docs.example.org',
      },
      /^ALLOWED_ORIGINS names https:\/\/docs\.example\.org but PUBLIC_URL is http:.* nothing can be embedded there/,
    ],
    [
      { POOL_MAX_SIZE: '65' },
      /^the pools may hold 65 instances that may use 16\.3 GiB together, but this host has 16\.0 GiB: /,
    ],
    [{ TRUSTED_PROXIES: '0.0.0.0/0' }, /^TRUSTED_PROXIES has 0\.0\.0\.0\/0/],
    [{ RATE_LIMIT_DAILY: '10' }, /^RATE_LIMIT_DAILY \(10\) is below RATE_LIMIT_HOURLY \(60\)/],
    [{ TEMPLATES_FILE: 'docs/templates.md', CONTAINER_IMAGE: 'x' }, /^CONTAINER_IMAGE is not used/],
  ])('%j gets one', (env, message) => {
    const readCatalogue = (path: string): string =>
      path.endsWith('.md') ? 'templates: [{ name: a, image: b, port: 1 }]' : read(path);
    const found = loadConfig(env, readCatalogue).warnings;
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });

  it('tell of more instances than the network takes that they share on a host', () => {
    const pools = (egress: string) => `name: a, image: a, port: 1, limits: { memory: 6MiB }, pool: { max: 1021 }
  - { name: b, image: b, port: 1, limits: { memory: 6MiB }, pool: { target: 1, max: 1 }, egress: ${egress} }`;
    const of = (egress: string, env: Environment = {}) =>
      warnings({ TEMPLATES_FILE: file(`templates:\n  - { ${pools(egress).replace('\n', ' }\n')}\n`), ...env });
    expect(of('true')).toEqual([]);
    expect(of('false')).toEqual([
      expect.stringMatching(/^the pools of templates without egress may hold 1022 instances, but .* takes 1021/),
    ]);
    expect(of('false', { CONTAINER_MODE: 'simulated' })).toEqual([]);
  });

  it('do not come for what visitors can reach and the host can hold', () => {
    expect(
      warnings({
        PUBLIC_SCHEME: 'https',
        PUBLIC_PORT: '443',
        PUBLIC_URL: 'https://try.example.org',
        BASE_DOMAIN: 'demo.example.org',
        TRUSTED_PROXIES: '127.0.0.1',
        POOL_MAX_SIZE: '64',
      }),
    ).toEqual([]);
  });

  it("leave other programs' variables alone", () => {
    expect(
      warnings({
        NODE_ENV: 'production',
        NODE_OPTIONS: '',
        DOCKER_HOST: 'x',
        HOST: 'x',
        PORT: '1',
        SERVER_NAME: 'x',
        NATS_PORT: 'tcp://1.2.3.4:4222',
        DATABASE_URL: 'x',
        DATABASE_HOST: 'x',
        CRIU_CONFIG_FILE: 'x',
        PATH: '/bin',
        HTTP_PROXY: 'x',
        POOL_TARGT_SIZE: '',
      }),
    ).toEqual([]);
  });

  it("do without the kernel's range where there is none", () => {
    expect(
      loadConfig({ CONTAINER_PORT_RANGE_START: '32000', CONTAINER_PORT_RANGE_END: '33000' }, () => {
        throw new Error('ENOENT');
      }).warnings,
    ).toEqual([]);
  });
});
