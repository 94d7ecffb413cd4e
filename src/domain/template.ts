import { createHash } from 'node:crypto';
import type { DatabaseSeed } from './database.ts';
import { versionedEgress, type Egress } from './egress.ts';
import type { ImageCheck, SmokeStep } from './image-check.ts';
import type { LeadForm } from './lead.ts';
import type { Autosize } from './pool-size.ts';
import type { PreviewRules } from './preview-rules.ts';
import type { ProcessSettings } from './process-settings.ts';
import type { Service } from './service.ts';
import { versionedReadiness, type Health, type Readiness } from './readiness.ts';

/** Something an instance is asked after it came up: a command run inside it, or an HTTP request to its port. */
export type InstanceCall =
  { readonly kind: 'exec'; readonly command: readonly string[] } | { readonly kind: 'http'; readonly path: string };

/** What visitors can take home of their work: what a command writes, or what a path answers. */
export type Export = InstanceCall & {
  /** Under this name it is saved. */
  readonly file: string;
  readonly mediaType: string;
  readonly maxBytes: number;
  /** From the click to the last byte. */
  readonly timeoutMs: number;
};

/** Which system calls the processes of a container may make. */
export interface SeccompFilter {
  /** For people: `default`, `strict`, or the path of a file. */
  readonly name: string;
  /** The profile as engines take it: JSON, in one spelling. */
  readonly profile: string;
  /** Of one that the program brings along: the profiles that it had under this name before. Undefined: a file. */
  readonly earlier?: readonly string[];
}

/** What starts the processes of a container: `runsc` (gVisor) puts a kernel of its own between them and the host's. */
export const OCI_RUNTIMES = ['runc', 'runsc'] as const;
export type OciRuntime = (typeof OCI_RUNTIMES)[number];

/**
 * An app that can be tried: everything needed to start, check and limit it, and keep idle instances of it. Durations in
 * ms, sizes in bytes.
 */
export interface Template {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly image: string;
  /** Whether it is fetched from the registry that its name begins with. */
  readonly pull: 'missing' | 'never' | 'always';
  /** Undefined: what its name leads to goes to visitors as it is. */
  readonly imageCheck: ImageCheck | undefined;
  /** What a new image has to answer before anybody gets it. */
  readonly smoke: readonly SmokeStep[];
  /** The TCP port the app listens on inside the container. */
  readonly port: number;
  /** Placeholders in the values are filled in when a container is made. */
  readonly env: Readonly<Record<string, string>>;
  readonly readiness: Readiness;
  /** How an instance is looked after once it is activated; undefined: as it became ready. */
  readonly health: Health | undefined;
  /** Whether a ready instance is replaced that has come to answer much later than the others. */
  readonly replaceSlow: boolean;
  readonly process: ProcessSettings;
  /** Where a visitor lands: a path of the app. */
  readonly open: string;
  /** Where else a link may have them land: paths, or beginnings of paths that end in `*`. */
  readonly openAllow: readonly string[];
  /** `auto`: below a bar of ours, in a frame, where that works; `off`: alone. */
  readonly frame: 'auto' | 'off';
  /** What the vendor wants visitors to do next. */
  readonly callToAction: { readonly text: string; readonly url: string } | undefined;
  /** What visitors are asked of themselves. */
  readonly lead: LeadForm | undefined;
  /** Paths requested once, through the proxy, before the instance counts as ready; redirects within it are followed. */
  readonly warmup: readonly string[];
  /** Started before the app, in this order; they end together with it. */
  readonly services: readonly Service[];
  readonly limits: { readonly memoryBytes: number; readonly cpus: number; readonly pids: number };
  /** What an instance may have written; more ends the visit. Files: whatever takes an inode. */
  readonly disk: { readonly bytes: number; readonly files: number };
  /** What becomes of a visit that keeps its processors busy while nobody uses it. */
  readonly unusedCpu: 'end' | 'throttle' | 'allow';
  /** How large its database may be, where it has one; a larger one ends the visit. */
  readonly databaseBytes: number;
  /** Linux capabilities kept, without the CAP_ prefix; all others are dropped. */
  readonly capabilities: readonly string[];
  /** Of all its containers. */
  readonly seccomp: SeccompFilter;
  /** Undefined: the engine's own choice. */
  readonly runtime: OciRuntime | undefined;
  /**
   * `share`: the kernel may merge pages of its instances that hold the same; `swap`: what its ready instances hold lies
   * in swap. One of any does for the others.
   */
  readonly memory: 'private' | 'share' | 'swap';
  readonly egress: Egress | undefined;
  /**
   * Hands an instance what is its own alone; run after a restore and after a cold start alike, before it can be ready.
   */
  readonly activation: (InstanceCall & { readonly timeoutMs: number }) | undefined;
  /**
   * What two instances must answer differently; what a checkpoint is verified by. `none`: they may be the same, says
   * the template.
   */
  readonly identity: InstanceCall | 'none' | undefined;
  /** Undefined: nothing can be taken home. */
  readonly export: Export | undefined;
  readonly checkpoint: {
    /** False: always a cold start, whatever was promoted. */
    readonly enabled: boolean;
    /** An archive to promote when the server starts; a newer promotion holds until this names another one. */
    readonly file: string | undefined;
    /** Requested at the app's own port before the dump, when it has neither a name nor a database yet. */
    readonly warmup: readonly string[];
    /** Asked of both clones of a verification, after their activation: a write that has to succeed. */
    readonly check: InstanceCall | undefined;
    /** Somebody has seen to the random numbers of a language whose generators no restore makes fresh. */
    readonly random: 'confirmed' | undefined;
    readonly dump: DumpOptions;
  };
  /** A database and a user of its own for each instance, filled from the seed. */
  readonly database: DatabaseSeed | undefined;
  readonly pool: {
    /** Of one that sizes itself: what it begins with. */
    readonly target: number;
    readonly max: number;
    /** Share of the target (0..1) that may be missing before a refill starts. */
    readonly replenishThreshold: number;
    /** Undefined: the target is fixed. */
    readonly autosize?: Autosize | undefined;
  };
  readonly ttl: { readonly defaultMs: number; readonly maxMs: number };
  /** Ends what its visitor has left without ending it; undefined: it runs until its time is up. */
  readonly idle: IdleSettings | undefined;
  /** True: while it is used, an instance always has a whole visit left, up to `ttl.maxMs`. */
  readonly renewOnUse: boolean;
  /** Origins of other sites whose pages may offer it. */
  readonly allowedOrigins: readonly string[];
  /** Labels that a node must have to be given its instances. */
  readonly nodes: readonly string[];
  /** Life of an instance from ready on; an idle one without a full visit left is replaced. */
  readonly maxAgeMs: number;
  /** From then on nobody gets one (ms); undefined: for ever. */
  readonly endsAtMs?: number | undefined;
  /** What others may have copies of it made of; undefined: nobody may. */
  readonly previews?: PreviewRules | undefined;
  /** Of a preview: the template that it is a copy of. */
  readonly previewOf?: string | undefined;
}

interface IdleSettings {
  /** Without any use for this long it ends. */
  readonly endAfterMs: number;
  /** How long before that its visitor is asked whether it is still wanted. */
  readonly warnMs: number;
}

/** What a dump takes along, or leaves, that CRIU refuses if nobody says so. */
export interface DumpOptions {
  /** The app holds file locks, which are dumped and restored then. */
  readonly fileLocks: boolean;
  /** The largest deleted file that a process may hold open. */
  readonly ghostLimitBytes: number;
  /** Open TCP connections do not keep the dump from being made; a clone finds them closed. */
  readonly tcpClose: boolean;
  /** Open files that have lost the name they were opened by, but not every name. */
  readonly linkRemap: boolean;
}

/** As CRIU has it unless it is told otherwise. */
export const DEFAULT_DUMP: DumpOptions = {
  fileLocks: false,
  ghostLimitBytes: 2 ** 20,
  tcpClose: false,
  linkRemap: false,
};

/** Where a container with a database sees the folder of the database server's socket. */
export const DATABASE_MOUNT = '/run/try-it-now/database';

/** What the service's container is made by: all that a template says of a container, and nothing of the app's. */
export function serviceTemplate(template: Template, service: Service): Template {
  const { image, env, process, limits, capabilities } = service;
  return { ...template, image, env, process, limits, capabilities, database: undefined, services: [] };
}

/** Of each container that an instance has: the app's first. */
export function containerTemplates(template: Template): readonly Template[] {
  return [template, ...template.services.map((service) => serviceTemplate(template, service))];
}

/** Changes exactly when an instance of the old template would not do for the new one: pool settings do not count. */
export function templateVersion(template: Template): string {
  return versionWith(template, template.seccomp.profile);
}

/**
 * Changes exactly when operators have decided something else that makes a new version: what the program brings along
 * counts by its name.
 */
export function settingsVersion(template: Template): string {
  const { name, profile, earlier } = template.seccomp;
  return versionWith(template, earlier === undefined ? profile : name);
}

/** Versions that earlier programs gave this very template. */
export function earlierVersions(template: Template): readonly string[] {
  return (template.seccomp.earlier ?? []).map((profile) => versionWith(template, profile));
}

/** What a checkpoint is labelled with: by which of them it was made. */
export interface TemplateVersions {
  readonly templateVersion: string;
  readonly settingsVersion: string;
}

export function versionsOf(template: Template): TemplateVersions {
  return { templateVersion: templateVersion(template), settingsVersion: settingsVersion(template) };
}

function versionWith(template: Template, profile: string): string {
  const { image, port, env, process, readiness, warmup, limits, capabilities, egress, activation, database } = template;
  const { services, runtime } = template;
  const sorted = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([
    image,
    port,
    sorted,
    process,
    versionedReadiness(readiness),
    warmup,
    limits,
    [...capabilities].sort(),
    profile,
    versionedEgress(egress),
    activation,
    database === undefined ? undefined : [database.engine, database.seedDigest],
    ...(services.length === 0 ? [] : [services]),
    ...(runtime === undefined ? [] : [runtime]),
  ]);
  return shortDigest(text);
}

interface Offer {
  readonly all: readonly Template[];
  readonly byName: ReadonlyMap<string, Template>;
  readonly versions: ReadonlyMap<string, string>;
  readonly default: Template;
  readonly revision: string;
  readonly text: string;
  /** The first of them ends then (ms). */
  readonly untilMs: number;
}

export function hasEnded({ endsAtMs }: Pick<Template, 'endsAtMs'>, nowMs: number): boolean {
  return endsAtMs !== undefined && endsAtMs <= nowMs;
}

/**
 * The templates on offer, in the order of the catalogue file; the first is the default, which never ends. Never empty.
 * What is on offer changes while the process runs, as templates end and as they are replaced: whoever keeps something
 * for each template asks again, or subscribes.
 */
export class Catalogue {
  #offer: Offer;
  readonly #withdrawn = new Map<string, Template>();
  readonly #subscribers: (() => void)[] = [];
  readonly #now: () => number;

  /** `text`: what the templates were read from. Some of them may have ended. */
  constructor(templates: readonly Template[], text = '', now: () => number = Date.now) {
    this.#now = now;
    this.#offer = offerOf(templates, text, now());
    this.#withdraw(templates);
  }

  get default(): Template {
    return this.#offer.default;
  }

  /** The same for all processes that offer the same templates, read from the same text. */
  get revision(): string {
    return this.#current().revision;
  }

  get(name: string): Template | undefined {
    return this.#current().byName.get(name);
  }

  /** One that is offered, or was since the process started: what a visit goes by that outlives its template. */
  known(name: string): Template | undefined {
    return this.get(name) ?? this.#withdrawn.get(name);
  }

  /** One that is no longer offered because its time is over. */
  ended(name: string): Template | undefined {
    const template = this.get(name) === undefined ? this.#withdrawn.get(name) : undefined;
    return template !== undefined && hasEnded(template, this.#now()) ? template : undefined;
  }

  /** The current version of a template, undefined for one that is no longer offered. */
  version(name: string): string | undefined {
    return this.#current().versions.get(name);
  }

  /** Undefined for one that is no longer offered. */
  versionsOf(name: string): TemplateVersions | undefined {
    const template = this.get(name);
    return template === undefined ? undefined : versionsOf(template);
  }

  /** The same array until any of them changes. */
  all(): readonly Template[] {
    return this.#current().all;
  }

  /** With those that visits may outlive. */
  allKnown(): readonly Template[] {
    return [...this.all(), ...this.#withdrawn.values()];
  }

  /** All at once: nobody sees a part of it. */
  replace(templates: readonly Template[], text = ''): void {
    const before = this.all();
    this.#offer = offerOf(templates, text, this.#now());
    this.#withdraw([...before, ...templates]);
    this.#forgetPreviews(templates);
    for (const onReplaced of this.#subscribers) onReplaced();
  }

  subscribe(onReplaced: () => void): void {
    this.#subscribers.push(onReplaced);
  }

  /** Nothing has to run for a template to end. */
  #current(): Offer {
    if (this.#now() < this.#offer.untilMs) return this.#offer;
    const before = this.#offer.all;
    this.#offer = offerOf(before, this.#offer.text, this.#now());
    this.#withdraw(before);
    for (const onReplaced of this.#subscribers) onReplaced();
    return this.#offer;
  }

  #withdraw(templates: readonly Template[]): void {
    for (const template of templates) this.#withdrawn.set(template.name, template);
    for (const name of this.#offer.byName.keys()) this.#withdrawn.delete(name);
  }

  /** One that has ended is recorded until nobody visits it: who finds none recorded needs to know of it no more. */
  #forgetPreviews(recorded: readonly Template[]): void {
    const names = new Set(recorded.map(({ name }) => name));
    for (const template of this.#withdrawn.values())
      if (template.previewOf !== undefined && hasEnded(template, this.#now()) && !names.has(template.name))
        this.#withdrawn.delete(template.name);
  }
}

function offerOf(all: readonly Template[], text: string, nowMs: number): Offer {
  const templates = all.filter((template) => !hasEnded(template, nowMs));
  const [first] = templates;
  if (first === undefined) throw new Error('a catalogue needs at least one template that does not end');
  const versions = new Map(templates.map((template) => [template.name, templateVersion(template)]));
  const byName = new Map(templates.map((template) => [template.name, template]));
  return {
    all: [...byName.values()],
    byName,
    versions,
    default: first,
    revision: shortDigest(JSON.stringify([text, ...versions])),
    text,
    untilMs: Math.min(...templates.map(({ endsAtMs = Infinity }) => endsAtMs)),
  };
}

function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
