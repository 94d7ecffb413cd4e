import { TryItNowError } from '../domain/errors.ts';
import { acceptedDraft, type JudgeDraft } from './accepted-draft.ts';
import { capabilitiesOf, givenAnyway } from './compose-capabilities.ts';
import { NOT_INCLUDED, mapping, type ComposeFile, type ComposeService } from './compose-file.ts';
import { imageName } from './compose-image.ts';
import { leftOut } from './compose-left-out.ts';
import { mountedFiles, type ReadFile } from './compose-mounts.ts';
import { renaming, serviceNames } from './compose-names.ts';
import { askedPath, healthCommand, publishedPort, sizeOf, words, type PublishedPort } from './compose-values.ts';
import type { Note, TemplateDraft } from './template-yaml.ts';

export interface ComposeSource {
  readonly compose: ComposeFile;
  /** The name of the service that visitors open; undefined: the one that publishes a port. */
  readonly service: string | undefined;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
  /** By which what no template can have is left out. */
  readonly judge: JudgeDraft;
}

export interface Imported {
  readonly draft: TemplateDraft;
  readonly notes: readonly Note[];
  /** What `templates check` would say of it all the same. */
  readonly problems: readonly string[];
}

/** Adds to the notes; without a key where it is of a service beside the app. */
type Tell = (text: string, key?: string) => void;

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
/** What an app and a service beside it get where the file bounds nothing. */
const MEMORY = { app: '512MiB', beside: '256MiB' };
const SECRET = /(?:secret|password|passwd|token|salt|(?:^|_)key)(?:$|_)/i;

/** The template of a Compose file: what its app service is to visitors, its other services beside it. */
export function fromCompose(source: ComposeSource): Imported {
  const { compose } = source;
  const name = appService(compose, source.service);
  const app = compose.services[name];
  if (app === undefined) throw new Error(`${name} was just found`);
  const notes: Note[] = compose.include === undefined ? [] : [{ text: `${NOT_INCLUDED}.` }];
  const port = visitedPort(name, app, notes);
  const tell: Tell = (text, key) => notes.push({ text, ...(key === undefined ? {} : { key }) });
  const services = sidecars(source, name, notes);
  const env = environment(source, app, tell);
  tellOfSecrets(env, tell);
  tellOfGuesses(compose, name, notes);
  const wanted: TemplateDraft = {
    name: templateName(name),
    ...imageOf(name, app, compose, tell),
    port: port.target,
    ...container(source, app, tell),
    ...(Object.keys(sysctlsOf(app)).length > 0 ? { sysctls: sysctlsOf(app) } : {}),
    ...(Object.keys(env).length > 0 ? { env: withOwnUrl(env, port, notes) } : {}),
    ...appReadiness(app, port.target),
    limits: limits(app, MEMORY.app, tell),
    ...(services.length > 0 ? { services } : {}),
  };
  const { draft, problems } = acceptedDraft(wanted, source.judge, (text, key, service) =>
    notes.push(service === undefined ? { key, text } : { key: 'services', text: `${service}: ${text}` }),
  );
  return { draft, notes, problems };
}

/** The services beside the app, in the order they are to be started in. */
function sidecars(source: ComposeSource, app: string, notes: Note[]): TemplateDraft[] {
  const others = inOrder(Object.entries(source.compose.services).filter(([name]) => name !== app));
  const called = serviceNames(others.map(([name]) => name));
  const tell: Tell = (text) => notes.push({ key: 'services', text });
  if (others.length > 0 && app !== 'app') tell(`They reach the app as app, not as ${app}.`);
  for (const name of endingServices(source.compose))
    tell(`${name} ends when it is done, and with it the instance would: have the app do its work when it starts.`);
  return others.map(([name, service]) => {
    const renamed = renaming(name, called.get(name) ?? name);
    if (renamed !== undefined) tell(renamed);
    return {
      name: called.get(name),
      ...imageOf(name, service, source.compose, (text) => tell(`${name}: ${text}`)),
      ...sidecar(source, service, (text) => tell(`${name}: ${text}`)),
    };
  });
}

/** Those that others wait for until they have ended. */
function endingServices({ services }: ComposeFile): string[] {
  const awaited = Object.values(services).flatMap(({ depends_on: wanted }) =>
    typeof wanted !== 'object' || Array.isArray(wanted)
      ? []
      : Object.entries(wanted).filter(
          ([, how]) => (how as { condition?: unknown } | null)?.condition === 'service_completed_successfully',
        ),
  );
  return [...new Set(awaited.map(([name]) => name))].filter((name) => name in services);
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

function imageOf(name: string, service: ComposeService, compose: ComposeFile, tell: Tell): TemplateDraft {
  const named = service.image === undefined ? undefined : imageName(compose, String(service.image));
  const image = named ?? `localhost/${templateName(name)}:latest`;
  if (service.build !== undefined) tell(`Built from source: build it first, as ${image}.`, 'image');
  else if (service.image === undefined) tell('No image is named; put one here.', 'image');
  return { image };
}

/** What an app and a service beside it have in common, but for image, environment, readiness and limits. */
function container({ compose, readFile }: ComposeSource, service: ComposeService, tell: Tell): TemplateDraft {
  for (const text of leftOut(service)) tell(text);
  const { files, tmpfs } = mountedFiles(compose, service, readFile, tell);
  const capabilities = capabilitiesOf(service);
  return {
    ...firstProcess(service, tell),
    ...(service.user === undefined ? {} : { user: String(service.user) }),
    ...(service.working_dir === undefined ? {} : { workdir: String(service.working_dir) }),
    ...(service.read_only === true ? { read_only: true } : {}),
    ...(service.init === false ? { init: false } : {}),
    ...(service.stop_signal === undefined
      ? {}
      : { stop_signal: String(service.stop_signal).replace(/^(?!SIG|\d)/, 'SIG') }),
    ...(Object.keys(tmpfs).length > 0 ? { tmpfs } : {}),
    ...(files.length > 0 ? { files } : {}),
    ...(capabilities.length > 0 ? { capabilities } : {}),
  };
}

/** An empty entrypoint has the command run by itself, which a template says by its entrypoint. */
function firstProcess(service: ComposeService, tell: Tell): TemplateDraft {
  const entrypoint = words(service.entrypoint);
  const command = words(service.command);
  if (entrypoint?.length === 0) {
    if (command !== undefined && command.length > 0) return { entrypoint: command };
    tell("An empty entrypoint is left out, for no command is named that would run in place of the image's.");
  }
  return {
    ...(entrypoint === undefined || entrypoint.length === 0 ? {} : { entrypoint }),
    ...(command === undefined ? {} : { command }),
  };
}

function sysctlsOf(service: ComposeService): Record<string, string> {
  return mapping(service.sysctls);
}

function environment(
  { variables, readFile }: ComposeSource,
  service: ComposeService,
  tell: Tell,
): Record<string, string> {
  const files = service.env_file === undefined ? [] : [service.env_file].flat();
  const env: Record<string, string> = {};
  for (const each of files) {
    const path = typeof each === 'object' ? String(each['path']) : String(each);
    const found = readFile.environment(path);
    if (found === undefined) tell(`env_file ${path} could not be read.`);
    Object.assign(env, found);
  }
  const unset: string[] = [];
  Object.assign(
    env,
    mapping(service.environment, variables, (name) => unset.push(name)),
  );
  if (unset.length > 0) tell(`${unset.join(', ')}: left out, as nothing here says its value.`, 'env');
  return env;
}

function tellOfSecrets(env: Readonly<Record<string, string>>, tell: Tell): void {
  const secrets = Object.keys(env).filter((name) => SECRET.test(name));
  if (secrets.length > 0)
    tell(
      `${secrets.join(', ')}: the same in every instance as it stands. Where it must be each visitor's own, write ` +
        '${TRY_IT_NOW_SEED}.',
      'env',
    );
}

/** Of what the file says nothing about, and a template has to. */
function tellOfGuesses({ services }: ComposeFile, app: string, notes: Note[]): void {
  const others = Object.entries(services).filter(([name]) => name !== app);
  const tell = (is: (service: ComposeService) => boolean, key: string, text: (whose: string) => string): void => {
    if (services[app] !== undefined && is(services[app])) notes.push({ key, text: text('') });
    const beside = others.filter(([, service]) => is(service)).map(([name]) => name);
    if (beside.length > 0) notes.push({ key: 'services', text: text(`${beside.join(', ')}: `) });
  };
  tell(
    (service) => givenAnyway(service).length > 0,
    'capabilities',
    (whose) =>
      `${whose}Compose has containers start with more; these are what a server needs that starts as root and ` +
      'changes to a user of its own. Take them out where the image has one from the start.',
  );
  tell(
    (service) => memoryLimit(service) === undefined,
    'limits',
    (whose) => `${whose}The memory is a guess, for the Compose file sets no limit: a start that needs more says so.`,
  );
}

function memoryLimit(service: ComposeService): unknown {
  return service.mem_limit ?? resourceLimits(service)['memory'];
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

function sidecar(source: ComposeSource, service: ComposeService, tell: Tell): TemplateDraft {
  const command = healthCommand(service.healthcheck);
  const exposed = [...(service.expose ?? []), ...(service.ports ?? [])].flatMap((value) => publishedPort(value) ?? []);
  const port = knownPort(service) ?? exposed[0]?.target;
  const env = environment(source, service, tell);
  if ((service.ports ?? []).length > 0) tell('Its ports are not published: visitors reach the app alone.');
  if (Object.keys(sysctlsOf(service)).length > 0)
    tell("sysctls are left out: the instance's network is one, and has those that the template itself names.");
  return {
    ...container(source, service, tell),
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(command === undefined
      ? port === undefined
        ? {}
        : { readiness: { tcp: port } }
      : { readiness: { exec: command } }),
    limits: limits(service, MEMORY.beside, tell),
  };
}

function resourceLimits(service: ComposeService): Readonly<Record<string, unknown>> {
  const resources = (service.deploy?.['resources'] ?? {}) as Readonly<
    Record<string, Record<string, unknown> | undefined>
  >;
  return resources['limits'] ?? {};
}

function limits(service: ComposeService, memory: string, tell: Tell): TemplateDraft {
  const set = resourceLimits(service);
  const number = (value: unknown): number | undefined => (Number(value) > 0 ? Number(value) : undefined);
  const asked = {
    memory: memoryLimit(service),
    cpus: service.cpus ?? set['cpus'],
    pids: service.pids_limit ?? set['pids'],
    shm: service.shm_size,
  };
  const read: Record<keyof typeof asked, string | number | undefined> = {
    memory: sizeOf(asked.memory, 6),
    cpus: number(asked.cpus),
    pids: number(asked.pids),
    shm: sizeOf(asked.shm),
  };
  const keys = ['memory', 'cpus', 'pids', 'shm'] as const;
  for (const key of keys.filter((each) => asked[each] !== undefined && read[each] === undefined))
    tell(`limits.${key} is as it is without being named, for ${JSON.stringify(asked[key])} is no limit.`, 'limits');
  const known = keys.flatMap((key) => (read[key] === undefined ? [] : [[key, read[key]] as const]));
  return { memory, ...Object.fromEntries(known) };
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
