import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parsed } from '../../test/support/catalogue.ts';
import { TryItNowError } from '../domain/errors.ts';
import { AS_ROOT } from './as-root.ts';
import { environmentOf, readComposeFile } from './compose-file.ts';
import type { ReadFile } from './compose-mounts.ts';
import { fromCompose } from './from-compose.ts';
import { templateFile, type Note, type TemplateDraft } from './template-yaml.ts';

const folder = mkdtempSync(join(tmpdir(), 'tin-compose-'));
mkdirSync(join(folder, 'uploads'));
writeFileSync(join(folder, 'wiki.conf'), 'a=b\n');
afterAll(() => rmSync(folder, { recursive: true }));

const check = (draft: TemplateDraft, notes: readonly Note[] = []): readonly string[] =>
  parsed(templateFile(draft, notes), join(folder, 'apps.yaml')).problems;
const NOTHING_THERE: ReadFile = { kind: () => 'missing', environment: () => undefined };

function imported(
  text: string,
  {
    service,
    variables = {},
    readFile = NOTHING_THERE,
  }: { service?: string; variables?: Readonly<Record<string, string>>; readFile?: ReadFile } = {},
) {
  const { compose, unset } = readComposeFile(text, 'compose.yaml', variables);
  const { draft, notes, problems } = fromCompose({ compose, service, variables, readFile, judge: check });
  // Whatever is printed, `templates check` takes.
  expect([problems, check(draft, notes)]).toEqual([[], []]);
  return { draft, notes, unset, told: notes.map(({ text: note }) => note).join('\n') };
}

const WIKI = `
services:
  db:
    image: postgres:16
    environment: [POSTGRES_PASSWORD=secret, POSTGRES_DB=wiki]
    volumes: ['data:/var/lib/postgresql/data']
    healthcheck: { test: [CMD-SHELL, pg_isready -U postgres] }
  cache: { image: 'valkey/valkey:8' }
  wiki:
    image: example/wiki:2
    depends_on: [db, cache]
    ports: ['127.0.0.1:8080:3000']
    command: serve --title "Our wiki"
    user: '1000:1000'
    working_dir: /srv
    cap_add: [CAP_CHOWN, setuid]
    environment:
      DB_HOST: db
      BASE_URL: http://localhost:8080/
      SECRET_KEY: change-me
    volumes: ['./wiki.conf:/etc/wiki.conf:ro', './uploads:/srv/uploads', '/var/run/docker.sock:/var/run/docker.sock']
    mem_limit: 1.5g
    shm_size: 128mb
    restart: always
    healthcheck: { test: [CMD, curl, -f, 'http://localhost:3000/health?full=1'] }
volumes: { data: {} }
`;

describe('a Compose file', () => {
  it('becomes the template of the service that visitors open, the others beside it', () => {
    const { draft, told } = imported(WIKI, {
      readFile: { kind: (path) => (path === './wiki.conf' ? 'file' : 'folder'), environment: () => undefined },
    });
    expect(draft).toEqual({
      name: 'wiki',
      image: 'docker.io/example/wiki:2',
      port: 3000,
      command: ['serve', '--title', 'Our wiki'],
      user: '1000:1000',
      workdir: '/srv',
      files: [{ path: '/etc/wiki.conf', source: './wiki.conf' }],
      capabilities: ['CHOWN', 'SETUID'],
      env: { DB_HOST: 'db', BASE_URL: '${TRY_IT_NOW_URL}', SECRET_KEY: 'change-me' },
      readiness: { http: { path: '/health?full=1' } },
      limits: { memory: '1536MiB', shm: '128MiB' },
      services: [
        {
          name: 'db',
          image: 'docker.io/library/postgres:16',
          capabilities: AS_ROOT.add,
          env: { POSTGRES_PASSWORD: 'secret', POSTGRES_DB: 'wiki' },
          readiness: { exec: ['sh', '-c', 'pg_isready -U postgres'] },
          limits: { memory: '256MiB' },
        },
        {
          name: 'cache',
          image: 'docker.io/valkey/valkey:8',
          capabilities: AS_ROOT.add,
          readiness: { tcp: 6379 },
          limits: { memory: '256MiB' },
        },
      ],
    });
    expect(told).toContain('the folder ./uploads of the host is not mounted at /srv/uploads');
    expect(told).toContain('docker.sock is left out');
    expect(told).toContain('SECRET_KEY: the same in every instance');
    expect(told).toContain('BASE_URL: the app');
    expect(told).toContain('db: What is kept in /var/lib/postgresql/data begins as the image has it');
    expect(told).toContain('Left out, as templates have nothing of the kind: restart.');
    expect(told).toContain('They reach the app as app, not as wiki.');
    expect(told).toContain('db, cache: Compose has containers start with more');
    expect(told).toContain('db, cache: The memory is a guess');
  });

  it('is printed with what there is to know as comments', () => {
    const { draft, notes } = imported(WIKI);
    const text = templateFile(draft, notes);
    expect(parse(text)).toEqual({ templates: [draft] });
    expect(text).toMatch(/# SECRET_KEY: the same in every instance.*\n(?: +#.*\n)* +env:/);
    expect(text).toContain('command: [ serve, --title, Our wiki ]');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it.each([
    ['80', 80],
    ['8080:80', 80],
    ['"[::1]:8080:80/tcp"', 80],
    ['"0.0.0.0::80"', 80],
    ['3000-3005', 3000],
    ['{ target: 80, published: "8080" }', 80],
  ])('gives the port inside of ports: [%s]', (value, port) => {
    expect(imported(`services: { a: { image: x, ports: [${value}] } }`).draft['port']).toBe(port);
  });

  it('takes no UDP port, and says which other ports stay inside', () => {
    const { draft, told } = imported('services: { a: { image: x, ports: ["53:53/udp", "80:80", "443:443"] } }');
    expect(draft['port']).toBe(80);
    expect(told).toContain('443 stay inside');
  });

  it('has its variables replaced as Compose does', () => {
    const text = [
      'services:',
      '  a:',
      '    image: "app:${TAG:-1}"',
      '    command: ["${TAG:-1}-${EMPTY-none}-${SET:+yes}-$BARE-$$HOME-${NESTED:-${TAG:-2}}"]',
      '    ports: [80]',
    ].join('\n');
    const { draft, unset } = imported(text, { variables: { EMPTY: '', SET: 'x', BARE: 'b' } });
    expect(draft).toMatchObject({ image: 'docker.io/library/app:1', command: ['1--yes-b-$HOME-2'] });
    expect(unset).toEqual([]);
    expect(imported('services: { a: { image: "x$TAG", ports: [80] } }').unset).toEqual(['TAG']);
  });

  it('has merge keys and anchors followed', () => {
    const { draft } = imported(
      'x-app: &app { image: x, environment: { A: "1" } }\nservices: { a: { <<: *app, ports: [80] } }',
    );
    expect(draft).toMatchObject({ image: 'docker.io/library/x', env: { A: '1' } });
  });

  it('has the variables of its env files, those of `environment` before them', () => {
    const { draft } = imported(
      'services: { a: { image: x, ports: [80], env_file: [a.env], environment: { B: here, C: } } }',
      {
        variables: { C: 'outside' },
        readFile: {
          kind: () => 'missing',
          environment: (path) => (path === 'a.env' ? environmentOf('A=1\nB="two"\n') : undefined),
        },
      },
    );
    expect(draft['env']).toEqual({ A: '1', B: 'here', C: 'outside' });
  });

  it('has no variable of which nothing says the value, which is told', () => {
    const { draft, told } = imported(
      'services: { a: { image: x, ports: [80], environment: [A, B=1] }, b: { image: y, environment: { C: , D: "" } } }',
    );
    expect(draft).toMatchObject({ env: { B: '1' }, services: [{ env: { D: '' } }] });
    expect([draft['env'], (draft['services'] as TemplateDraft[])[0]?.['env']]).toEqual([{ B: '1' }, { D: '' }]);
    expect(told).toMatch(/^A: left out, as nothing here says its value/m);
    expect(told).toMatch(/^b: C: left out/m);
  });

  it('tells of what is included', () => {
    const { told } = imported('include: [a.yaml]\nservices: { a: { image: x, ports: [80] } }');
    expect(told).toContain('`include` is not followed');
  });

  it('has its services in the order in which they need each other, also in a circle', () => {
    const { draft } = imported(
      'services: { web: { image: x, ports: [80] }, a: { image: a, depends_on: { b: { condition: x } } }, ' +
        'b: { image: b, depends_on: [a] }, c: { image: c } }',
    );
    expect((draft['services'] as { name: string }[]).map(({ name }) => name)).toEqual(['b', 'a', 'c']);
  });

  it.each([
    ['services: [', /this is not YAML as it should be/],
    ['version: "3"', /no `services`/],
    ['include: [a.yaml]', /no `services` of its own, and `include` is not followed/],
    ['services: {}', /no entry/],
    ['services: { a: { image: [x] } }', /services\.a\.image/],
    ['services: { a: { image: x } }', /publishes and exposes no TCP port/],
    ['services: { a: { image: x, ports: [80] }, b: { image: y, ports: [81] } }', /\(a, b\); say which with --service/],
    ['services: { a: { image: "${NEEDED:?set it}" } }', /needs the variable NEEDED to be set: set it/],
    ['a: &a [*a]', /an alias in it refers to itself/],
  ])('%j is refused with the reason', (text, reason) => {
    expect(() => imported(text)).toThrow(TryItNowError);
    expect(() => imported(text)).toThrow(reason);
  });

  it('has no service that it does not have', () => {
    expect(() => imported(WIKI, { service: 'web' })).toThrow(/no service web; there are db, cache, wiki/);
  });
});

interface Beside {
  readonly name: string;
}

describe('a service beside the app', () => {
  const beside = (text: string, readFile = NOTHING_THERE) => {
    const { draft, told } = imported(`services: { web: { image: nginx, ports: ["80:80"] }, ${text} }`, { readFile });
    return { services: draft['services'] as readonly Beside[], told };
  };

  it('has another name where its own stands for the instance, and is reached by both', () => {
    const { services, told } = beside(
      'app: { image: acme/php-fpm, expose: [9000] }, app-2: { image: x }, localhost: { image: y }',
    );
    expect(services).toMatchObject([
      { name: 'app-3', image: 'docker.io/acme/php-fpm', readiness: { tcp: 9000 } },
      { name: 'app-2' },
      { name: 'localhost-2' },
    ]);
    expect(told).toContain(
      'app is called app-3, for app stands for the instance itself. It is reached as app as before',
    );
    expect(told).toContain('localhost is called localhost-2');
  });

  it.each([
    ['my_db', 'my_db'],
    ['DB', 'db'],
    ['2nd', 'service-2nd'],
    ['my.db', 'my-db'],
    ['_x_', 'x'],
    ['a-name-that-is-longer-than-any-that-a-template-has', 'a-name-that-is-longer-than-any-t'],
  ])('called %s is called %s', (name, called) => {
    const { services, told } = beside(`${name}: { image: x }`);
    expect(services).toMatchObject([{ name: called }]);
    if (name === called) expect(told).not.toContain('is called');
    else expect(told).toContain(`${name} is called ${called}, for no service can have its name.`);
  });

  it('has a name of its own although another would be called alike', () => {
    const { services } = beside('DB: { image: x }, db: { image: y }, db.: { image: z }');
    expect(services.map(({ name }) => name)).toEqual(['db-2', 'db', 'db-3']);
  });

  it('has what it is started with carried over, but for the settings of the network', () => {
    const { services, told } = beside(
      'search: { image: opensearch, working_dir: /srv, read_only: true, init: false, stop_signal: TERM, ' +
        'user: "1000", environment: { discovery.type: single-node }, tmpfs: [/run], ' +
        'sysctls: { net.core.somaxconn: 4096 } }',
    );
    expect(services).toMatchObject([
      {
        name: 'search',
        workdir: '/srv',
        read_only: true,
        init: false,
        stop_signal: 'SIGTERM',
        user: '1000',
        env: { 'discovery.type': 'single-node' },
        tmpfs: { '/run': '16MiB' },
      },
    ]);
    expect(services[0]).not.toHaveProperty('sysctls');
    expect(told).toContain("search: sysctls are left out: the instance's network is one");
  });

  it('is not to end: that would end the instance', () => {
    const { told } = beside(
      'migrate: { image: x }, ' +
        'api: { image: y, depends_on: { migrate: { condition: service_completed_successfully } } }',
    );
    expect(told).toContain('migrate ends when it is done, and with it the instance would');
  });
});

/** What becomes of these keys at the app and at a service beside it, and what is told of each. */
const both = (keys: string) => {
  const { draft, notes } = imported(`services: { a: { image: x, ports: [80], ${keys} }, b: { image: y, ${keys} } }`, {
    service: 'a',
  });
  const lines = notes.map(({ text }) => text);
  const [beside = {}] = draft['services'] as readonly TemplateDraft[];
  const ofBeside = lines.filter((line) => line.startsWith('b: ')).map((line) => line.slice('b: '.length));
  const ofApp = lines.filter((line) => !line.startsWith('b: '));
  return { app: draft, beside, told: [ofApp.join('\n'), ofBeside.join('\n')] as const };
};

describe('a folder in memory', () => {
  it.each([
    ['tmpfs: /cache', '16MiB', false],
    ['tmpfs: "/cache:size=67108864"', '64MiB', false],
    ['tmpfs: "/cache:mode=1777,size=64M,noexec"', '64MiB', false],
    ['tmpfs: ["/cache:size=1g"]', '1024MiB', false],
    ['tmpfs: "/cache:size=50%"', '16MiB', true],
    ['volumes: [{ type: tmpfs, target: /cache }]', '16MiB', false],
    ['volumes: [{ type: tmpfs, target: /cache, tmpfs: { size: 67108864 } }]', '64MiB', false],
    ['volumes: [{ type: tmpfs, target: /cache, tmpfs: { size: 64mb } }]', '64MiB', false],
  ])('of %s has the size %s', (line, size, isTold) => {
    const { app, beside, told } = both(line);
    expect([app['tmpfs'], beside['tmpfs']]).toEqual([{ '/cache': size }, { '/cache': size }]);
    for (const lines of told) expect(lines.includes('is no size that a template can have')).toBe(isTold);
  });
});

describe('what no template has', () => {
  /** Of the Compose specification, with something in each. */
  const OTHERS = [
    ...[
      'annotations',
      'attach',
      'blkio_config',
      'cgroup',
      'cgroup_parent',
      'container_name',
      'cpu_count',
      'cpu_shares',
    ],
    ...['cpuset', 'credential_spec', 'develop', 'device_cgroup_rules', 'dns', 'dns_opt', 'dns_search', 'domainname'],
    ...['external_links', 'extra_hosts', 'gpus', 'group_add', 'hostname', 'isolation', 'label_file', 'labels', 'links'],
    ...['logging', 'mac_address', 'mem_reservation', 'mem_swappiness', 'memswap_limit', 'networks', 'oom_kill_disable'],
    ...['oom_score_adj', 'platform', 'post_start', 'pre_stop', 'pull_policy', 'restart', 'runtime', 'scale'],
    ...['security_opt', 'stdin_open', 'stop_grace_period', 'storage_opt', 'tty', 'ulimits', 'userns_mode', 'uts'],
    ...['volumes_from', 'pid', 'ipc', 'network_mode', 'profiles', 'extends'],
  ];
  const keys = OTHERS.map((key) => `${key}: x`).join(', ');
  const parts =
    'privileged: true, devices: [/dev/fuse], healthcheck: { test: [CMD, ok], interval: 5s, start_period: 1m }, ' +
    'deploy: { replicas: 2, resources: { limits: { memory: 64M }, reservations: { cpus: 1 } } }';

  it('is told of, each key by its name', () => {
    for (const lines of both(`${keys}, ${parts}, x-note: x`).told) {
      for (const key of [
        ...OTHERS,
        ...['privileged', 'devices', 'healthcheck.interval', 'healthcheck.start_period', 'deploy.replicas'],
        'deploy.resources.reservations',
      ])
        expect(lines).toMatch(new RegExp(`(^|[ ,])${key.replaceAll('.', '\\.')}([ ,.]|$)`, 'm'));
      expect(lines).not.toContain('x-note');
    }
  });

  it.each([
    [
      'cap_add: [NET_ADMIN, CHOWN], user: "1000"',
      { capabilities: ['CHOWN'] },
      /NET_ADMIN" \(refused because it rewrites/,
    ],
    ['user: ":"', { user: undefined }, /user is ":"/],
    ['tmpfs: [/dev/shm, /run]', { tmpfs: { '/run': '16MiB' } }, /its size is limits\.shm/],
    ['environment: { "a b": x, c: y }', { env: { c: 'y' } }, /"a b" is not a name/],
    ['stop_signal: SIGRTMIN+3', { stop_signal: undefined }, /stop_signal is "SIGRTMIN\+3"/],
    ['working_dir: srv', { workdir: undefined }, /workdir is "srv"/],
    ['mem_limit: 0', {}, /limits\.memory is as it is without/],
    ['pids_limit: -1', {}, /limits\.pids is as it is without/],
    ['cpus: 0.001', {}, /limits\.cpus is "0\.001"/],
    ['entrypoint: [], command: [serve, now]', { entrypoint: ['serve', 'now'], command: undefined }, /^/],
    ['entrypoint: ""', { entrypoint: undefined }, /An empty entrypoint is left out/],
    ['volumes: ["data:/srv"]', {}, /What is kept in \/srv begins as the image has it/],
    ['volumes: [{ type: npipe, source: x, target: /y }]', {}, /A volume is left out.*npipe/],
  ])('is left out with the reason: %s', (line, left, reason) => {
    const { app, beside, told } = both(line);
    for (const part of [app, beside])
      for (const [key, value] of Object.entries(left)) expect([key, part[key]]).toEqual([key, value]);
    for (const lines of told) expect(lines).toMatch(reason);
  });

  it('gives way where two keys contradict each other', () => {
    const { draft, told } = imported(
      'services: { a: { image: x, ports: [80], read_only: true, volumes: ["./wiki.conf:/etc/wiki.conf"] } }',
      { readFile: { kind: () => 'file', environment: () => undefined } },
    );
    expect(draft['files']).toHaveLength(1);
    expect(draft).not.toHaveProperty('read_only');
    expect(told).toMatch(/Left out, for a template cannot have it: .*read_only/);
  });

  it('is what a person has to put right where nothing can be left out', () => {
    const { compose } = readComposeFile('services: { a: { image: "$NONE", ports: [80], tty: true } }', 'c.yaml', {});
    const { problems } = fromCompose({
      compose,
      service: undefined,
      variables: {},
      readFile: NOTHING_THERE,
      judge: check,
    });
    expect(problems).toEqual([expect.stringMatching(/^image is ""/)]);
  });
});
