import { TryItNowError } from '../domain/errors.ts';
import { mapping, type ComposeFile, type ComposeService } from './compose-file.ts';
import { mountedFiles, type ReadFile } from './compose-mounts.ts';
import { askedPath, healthCommand, publishedPort, sizeOf, words, type PublishedPort } from './compose-values.ts';
import type { Note, TemplateDraft } from './template-yaml.ts';

export interface ComposeSource {
  readonly compose: ComposeFile;
  /** The name of the service that visitors open; undefined: the one that publishes a port. */
  readonly service: string | undefined;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
}

export interface Imported {
  readonly draft: TemplateDraft;
  readonly notes: readonly Note[];
}

/** Where well-known servers listen, by what their images are called. */
const KNOWN_PORTS: readonly (readonly [RegExp, number])[] = [
  [/postg/, 5432],
  [/mysql|mariadb|percona/, 3306],
  [/redis|valkey|keydb|dragonfly/, 6379],
  [/memcache/, 11211],
  [/mongo/, 27017],
  [/rabbitmq/, 5672],
  [/elastic|opensearch/, 9200],
  [/meili/, 7700],
];
/** Keys of Compose that would open the host to a visitor, or have no meaning for a throw-away container. */
const LEFT_OUT: Readonly<Partial<Record<keyof ComposeService, string>>> = {
  privileged:
    'privileged is left out: a visitor would be root on the host. Name single `capabilities` if it needs them.',
  devices: 'devices are left out: an instance has none of the host.',
  network_mode: 'network_mode is left out: an instance has a network of its own.',
  pid: 'pid is left out: an instance has processes of its own.',
  ipc: 'ipc is left out: an instance has shared memory of its own (limits.shm).',
  extends: 'extends is not followed: give the file that `docker compose config` prints instead.',
};
const SECRET = /(?:secret|password|passwd|token|salt|(?:^|_)key)(?:$|_)/i;

/** The template of a Compose file: what its app service is to visitors, its other services beside it. */
export function fromCompose(source: ComposeSource): Imported {
  const { compose } = source;
  const name = appService(compose, source.service);
  const app = compose.services[name];
  if (app === undefined) throw new Error(`${name} was just found`);
  const notes: Note[] = [];
  const port = visitedPort(name, app, notes);
  const others = Object.entries(compose.services).filter(([other]) => other !== name);
  const services = inOrder(others).map(([other, service]) => sidecar(source, other, service, notes));
  const env = environment(source, app, undefined, notes);
  const draft: TemplateDraft = {
    name: templateName(name),
    ...imageOf(name, app, notes, undefined),
    port: port.target,
    ...container(source, app, undefined, notes),
    ...(Object.keys(env).length > 0 ? { env: withOwnUrl(env, port, notes) } : {}),
    ...appReadiness(app, port.target),
    limits: limits(app, '512MiB'),
    ...(services.length > 0 ? { services } : {}),
  };
  return { draft, notes };
}

function appService({ services }: ComposeFile, wanted: string | undefined): string {
  const names = Object.keys(services);
  if (wanted !== undefined) {
    if (names.includes(wanted)) return wanted;
    throw new TryItNowError('invalid_request', `There is no service ${wanted}; there are ${names.join(', ')}`);
  }
  const publishing = names.filter((name) => (services[name]?.ports ?? []).length > 0);
  const apps = publishing.filter((name) => knownPort(services[name]) === undefined);
  const [only, another] = apps.length > 0 ? apps : publishing.length > 0 ? publishing : names;
  if (only !== undefined && another === undefined) return only;
  throw new TryItNowError(
    'invalid_request',
    `Several services could be the one that visitors open (${(apps.length > 0 ? apps : names).join(', ')}); ` +
      'say which with --service',
  );
}

function visitedPort(name: string, app: ComposeService, notes: Note[]): PublishedPort {
  const published = (app.ports ?? []).flatMap((value) => publishedPort(value) ?? []);
  const exposed = (app.expose ?? []).flatMap((value) => publishedPort(value) ?? []);
  const [port, ...more] = [...published, ...exposed].filter(({ protocol }) => protocol === 'tcp');
  if (port === undefined)
    throw new TryItNowError(
      'invalid_request',
      `The service ${name} publishes and exposes no TCP port; add \`expose: [PORT]\` to it, the port on which its ` +
        'app listens',
    );
  if (more.length > 0)
    notes.push({
      key: 'port',
      text: `Visitors reach this one port only; ${more.map(({ target }) => target).join(', ')} stay inside.`,
    });
  return port;
}

/** 1 to 32 of a-z, 0-9 and -. */
export function templateName(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 32)
    .replace(/^-+|-+$/g, '');
  return name === '' ? 'app' : name;
}

function imageOf(name: string, service: ComposeService, notes: Note[], under: string | undefined): TemplateDraft {
  const image = service.image === undefined ? `localhost/${templateName(name)}:latest` : String(service.image);
  if (service.build !== undefined)
    notes.push({
      key: under ?? 'image',
      text: `${name} is built from source: build it first, as ${image}.`,
    });
  else if (service.image === undefined)
    notes.push({ key: under ?? 'image', text: `${name} names no image; put one here.` });
  return { image };
}

/** What an app and a service beside it have in common, but for image, environment, readiness and limits. */
function container(
  { compose, readFile }: ComposeSource,
  service: ComposeService,
  under: string | undefined,
  notes: Note[],
): TemplateDraft {
  for (const [key, text] of Object.entries(LEFT_OUT))
    if (key in service) notes.push({ ...at(under), text: about(under, text) });
  const entrypoint = words(service.entrypoint);
  const command = words(service.command);
  const { files, tmpfs } = mountedFiles(compose, service, readFile, (text) =>
    notes.push({ ...at(under), text: about(under, text) }),
  );
  const capabilities = (service.cap_add ?? []).map((name) => String(name).replace(/^CAP_/i, '').toUpperCase());
  const sysctls = mapping(service.sysctls);
  return {
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(command === undefined ? {} : { command }),
    ...(service.user === undefined ? {} : { user: String(service.user) }),
    ...(service.working_dir === undefined || under !== undefined ? {} : { workdir: String(service.working_dir) }),
    ...(service.read_only === true && under === undefined ? { read_only: true } : {}),
    ...(service.init === false && under === undefined ? { init: false } : {}),
    ...(service.stop_signal === undefined || under !== undefined ? {} : { stop_signal: String(service.stop_signal) }),
    ...(Object.keys(sysctls).length > 0 && under === undefined ? { sysctls } : {}),
    ...(Object.keys(tmpfs).length > 0 ? { tmpfs } : {}),
    ...(files.length > 0 ? { files } : {}),
    ...(capabilities.length > 0 ? { capabilities } : {}),
  };
}

function environment(
  { variables, readFile }: ComposeSource,
  service: ComposeService,
  under: string | undefined,
  notes: Note[],
): Record<string, string> {
  const files = service.env_file === undefined ? [] : [service.env_file].flat();
  const env: Record<string, string> = {};
  for (const each of files) {
    const path = typeof each === 'object' ? String(each['path']) : String(each);
    const found = readFile.environment(path);
    if (found === undefined) notes.push({ ...at(under), text: about(under, `env_file ${path} could not be read.`) });
    Object.assign(env, found);
  }
  Object.assign(env, mapping(service.environment, variables));
  const secrets = Object.keys(env).filter((name) => SECRET.test(name));
  if (secrets.length > 0 && under === undefined)
    notes.push({
      key: 'env',
      text:
        `${secrets.join(', ')}: the same in every instance as it stands. Where it must be each visitor's own, ` +
        'write ${TRY_IT_NOW_SEED}.',
    });
  return env;
}

/** An app that is told its own address must be told each instance's. */
function withOwnUrl(
  env: Readonly<Record<string, string>>,
  { published }: PublishedPort,
  notes: Note[],
): Record<string, string> {
  const own = new RegExp(`^https?://(?:localhost|127\\.0\\.0\\.1)(?::${published ?? '\\d+'})?(/?)$`);
  const changed = Object.keys(env).filter((name) => own.test(env[name] ?? ''));
  if (changed.length > 0)
    notes.push({
      key: 'env',
      text: `${changed.join(', ')}: the app's own address, which is each instance's own here.`,
    });
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, changed.includes(name) ? '${TRY_IT_NOW_URL}' : value]),
  );
}

function appReadiness(app: ComposeService, port: number): TemplateDraft {
  const command = healthCommand(app.healthcheck);
  if (command === undefined) return {};
  const path = askedPath(command, port);
  return { readiness: path === undefined ? { exec: command } : { http: { path } } };
}

function knownPort(service: ComposeService | undefined): number | undefined {
  const image = String(service?.image ?? '').toLowerCase();
  return KNOWN_PORTS.find(([known]) => known.test(image))?.[1];
}

function sidecar(source: ComposeSource, name: string, service: ComposeService, notes: Note[]): TemplateDraft {
  const under = 'services';
  const command = healthCommand(service.healthcheck);
  const exposed = [...(service.expose ?? []), ...(service.ports ?? [])].flatMap((value) => publishedPort(value) ?? []);
  const port = knownPort(service) ?? exposed[0]?.target;
  const env = environment(source, service, under, notes);
  const kept = (service.volumes ?? []).length > 0 && knownPort(service) !== undefined;
  if (kept) notes.push({ key: under, text: `${name}: its data begins empty in each instance and goes with it.` });
  return {
    name,
    ...imageOf(name, service, notes, under),
    ...container(source, service, `${under}: ${name}`, notes),
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(command === undefined
      ? port === undefined
        ? {}
        : { readiness: { tcp: port } }
      : { readiness: { exec: command } }),
    limits: limits(service, '256MiB'),
  };
}

function limits(service: ComposeService, memory: string): TemplateDraft {
  const resources = (service.deploy?.['resources'] ?? {}) as Readonly<
    Record<string, Record<string, unknown> | undefined>
  >;
  const set = resources['limits'] ?? {};
  const shm = sizeOf(service.shm_size);
  const cpus = Number(service.cpus ?? set['cpus']);
  const pids = Number(service.pids_limit ?? set['pids']);
  return {
    memory: sizeOf(service.mem_limit, 6) ?? sizeOf(set['memory'], 6) ?? memory,
    ...(cpus > 0 ? { cpus } : {}),
    ...(pids > 0 ? { pids } : {}),
    ...(shm === undefined ? {} : { shm }),
  };
}

/** Each after those it depends on. */
function inOrder(services: readonly (readonly [string, ComposeService])[]): (readonly [string, ComposeService])[] {
  const placed: (readonly [string, ComposeService])[] = [];
  const place = (entry: readonly [string, ComposeService], path: readonly string[]): void => {
    if (placed.includes(entry) || path.includes(entry[0])) return;
    const wanted = entry[1].depends_on ?? [];
    const names = Array.isArray(wanted) ? wanted.map(String) : Object.keys(wanted);
    for (const other of services) if (names.includes(other[0])) place(other, [...path, entry[0]]);
    placed.push(entry);
  };
  for (const entry of services) place(entry, []);
  return placed;
}

function at(under: string | undefined): { readonly key?: string } {
  return under === undefined ? {} : { key: 'services' };
}

function about(under: string | undefined, text: string): string {
  return under === undefined ? text : `${under.replace(/^services: /, '')}: ${text}`;
}
