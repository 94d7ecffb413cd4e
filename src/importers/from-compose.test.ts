import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TryItNowError } from '../domain/errors.ts';
import { environmentOf, readComposeFile } from './compose-file.ts';
import type { ReadFile } from './compose-mounts.ts';
import { fromCompose } from './from-compose.ts';
import { templateFile } from './template-yaml.ts';

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
  const { draft, notes } = fromCompose({ compose, service, variables, readFile });
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
      image: 'example/wiki:2',
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
          image: 'postgres:16',
          env: { POSTGRES_PASSWORD: 'secret', POSTGRES_DB: 'wiki' },
          readiness: { exec: ['sh', '-c', 'pg_isready -U postgres'] },
          limits: { memory: '256MiB' },
        },
        { name: 'cache', image: 'valkey/valkey:8', readiness: { tcp: 6379 }, limits: { memory: '256MiB' } },
      ],
    });
    expect(told).toContain('the folder ./uploads of the host is not mounted at /srv/uploads');
    expect(told).toContain('docker.sock is left out');
    expect(told).toContain('SECRET_KEY: the same in every instance');
    expect(told).toContain('BASE_URL: the app');
    expect(told).toContain('db: its data begins empty');
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
      '    image: "app:${TAG:-1}-${EMPTY-none}-${SET:+yes}-$BARE-$$HOME-${NESTED:-${TAG:-2}}"',
      '    ports: [80]',
    ].join('\n');
    const { draft, unset } = imported(text, { variables: { EMPTY: '', SET: 'x', BARE: 'b' } });
    expect(draft['image']).toBe('app:1--yes-b-$HOME-2');
    expect(unset).toEqual([]);
    expect(imported('services: { a: { image: "x:$TAG", ports: [80] } }').unset).toEqual(['TAG']);
  });

  it('has merge keys and anchors followed', () => {
    const { draft } = imported(
      'x-app: &app { image: x, environment: { A: "1" } }\nservices: { a: { <<: *app, ports: [80] } }',
    );
    expect(draft).toMatchObject({ image: 'x', env: { A: '1' } });
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
