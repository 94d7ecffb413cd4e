import { dirname } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { isLandingPattern } from '../domain/landing.ts';
import { DEFAULT_PROCESS } from '../domain/process-settings.ts';
import { DEFAULT_READINESS } from '../domain/readiness.ts';
import type { Autosize } from '../domain/pool-size.ts';
import type { Template } from '../domain/template.ts';
import { ownFilter } from '../runtime/isolation/seccomp.ts';
import { readAutosize } from './autosize-section.ts';
import { capability } from './capabilities.ts';
import { readCheckpointSections, requestPath, WITHOUT_CALLS, type SectionContext } from './checkpoint-sections.ts';
import { readEgress } from './egress-section.ts';
import { readExport } from './export-section.ts';
import { IMAGE_CHECK, readSmoke } from './image-update-section.ts';
import { readLead } from './lead-section.ts';
import { decimal, duration, integer, oneOf, prose, size, ParseError, type Parser, webOrigin } from './parsers.ts';
import { PROCESS_KEYS, readEnv, readProcess } from './process-keys.ts';
import { readPreviews } from './previews-section.ts';
import { readHealth, readReadiness } from './readiness-section.ts';
import { poolProblems, type PoolSettings, type Setting } from './rules.ts';
import { readMemory, readRuntime } from './runtime-key.ts';
import { readSeccomp } from './seccomp.ts';
import { readServices } from './services-section.ts';
import { imageName, maxAge, nodeLabel, poolMax, poolTarget, port, share, templateName, ttl } from './variables.ts';
import { listProblems, YamlMapSection, type YamlSection, type YamlSource } from './yaml-section.ts';

/** What a template takes from the environment where it does not say otherwise. */
export interface TemplateDefaults extends PoolSettings {
  readonly allowedOrigins: readonly string[];
  readonly replenishThreshold: Setting<number>;
}

export interface ParsedTemplates {
  readonly templates: readonly Template[];
  readonly problems: readonly string[];
}

const landingPattern: Parser<string> = {
  type: 'path',
  expects: 'a path such as /cart, the beginning of paths such as /shop/*, or either with a query such as /find?q=*',
  parse: (text) => (isLandingPattern(text) ? text : new ParseError()),
};

const FRAME = oneOf(['auto', 'off']);
const CALL_TEXT = prose(40);
const CALL_URL: Parser<string> = {
  type: 'URL',
  expects: 'an address that starts with https://, http:// or mailto:, such as https://example.org/buy',
  parse: (text) =>
    /^(https?:\/\/|mailto:)[\x21-\x7e]{1,1000}$/.test(text) && URL.canParse(text) ? text : new ParseError(),
};

/** Undefined for no such time. */
function instantOf(text: string): number | undefined {
  const written = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = written ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

const INSTANT: Parser<number> = {
  type: 'time',
  expects: 'a date and time with its time zone, such as 2027-03-31T18:00:00+02:00 or 2027-03-31T16:00:00Z',
  json: { type: 'string' },
  parse: (text) => instantOf(text) ?? new ParseError(),
};

const TITLE = prose(80);
const DESCRIPTION = prose(500);
const MEMORY = size('6MiB', '1024GiB', '256MiB');
const CPUS = decimal(0.01, 512, 1);
const PIDS = integer(1, 1_000_000, 128);
const DISK = size('1MiB', '1024GiB', '2GiB');
const LIMIT_KEYS = ['memory', 'cpus', 'pids', 'shm', 'disk', 'files', 'unused_cpu', 'database'] as const;
const UNUSED_CPU = oneOf(['end', 'throttle', 'allow']);
const FILES = integer(100, 1_000_000_000, 200_000);
const DATABASE = size('1MiB', '1024GiB', '1GiB');

const RENEW = oneOf(['on_use']);
const END_AFTER = duration('10s', '24h', '10m');
const WARN = duration('1s', '1h', '1m');
const DEFAULT_WARN_MS = 60_000;
const PULL = oneOf(['missing', 'never', 'always']);

/** What an app gets that does not say otherwise: enough for a small web app, too little to harm its neighbours. */
const DEFAULTS = {
  pull: 'missing',
  imageCheck: undefined,
  smoke: [],
  readiness: DEFAULT_READINESS,
  health: undefined,
  replaceSlow: true,
  limits: { memoryBytes: 256 * 2 ** 20, cpus: 1, pids: 128 },
  disk: { bytes: 2 * 2 ** 30, files: 200_000 },
  unusedCpu: 'end',
  databaseBytes: 2 ** 30,
  process: DEFAULT_PROCESS,
  open: '/',
  idle: undefined,
  renewOnUse: false,
  openAllow: [],
  frame: 'auto',
  callToAction: undefined,
  lead: undefined,
  nodes: [],
} as const;

export const TEMPLATE_KEYS = [
  'name',
  'title',
  'description',
  'image',
  'pull',
  'image_check',
  'smoke',
  'port',
  'env',
  ...PROCESS_KEYS,
  'open',
  'frame',
  'call_to_action',
  'lead',
  'readiness',
  'health',
  'warmup',
  'limits',
  'capabilities',
  'seccomp',
  'runtime',
  'memory',
  'egress',
  'activation',
  'identity',
  'export',
  'checkpoint',
  'database',
  'services',
  'pool',
  'ttl',
  'renew',
  'idle',
  'max_age',
  'ends_at',
  'previews',
  'allowed_origins',
  'nodes',
] as const;

/** Everything that can be said of one; problems are reported to the section. */
export function readTemplate(section: YamlSection, defaults: TemplateDefaults, context: SectionContext): Template {
  const readiness = readReadiness(section);
  const limits = section.section('limits', LIMIT_KEYS);
  const pool = section.section('pool', ['target', 'max', 'replenish_threshold', 'autosize']);
  const times = section.section('ttl', ['default', 'max']);
  // A value that is wrong was reported by its read: the default that stands in must not raise a second problem.
  const pick = <T>(from: YamlSection, key: string, parser: Parser<T>, fallback: Setting<T>): Setting<T> => {
    const own = from.read(key, parser);
    if (fallback.wins === true) return fallback;
    return own ?? (from.has(key) ? { ...fallback, sound: false } : fallback);
  };
  const max = pick(pool, 'max', poolMax, defaults.max);
  const sized = readAutosize(pool, max);
  const settings: PoolSettings = {
    // A pool that sizes itself begins with its least.
    target: sized?.min ?? pick(pool, 'target', poolTarget, defaults.target),
    max,
    defaultTtl: pick(times, 'default', ttl, defaults.defaultTtl),
    maxTtl: pick(times, 'max', ttl, defaults.maxTtl),
    maxAge: pick(section, 'max_age', maxAge, defaults.maxAge),
  };
  const told = poolProblems(defaults);
  for (const problem of poolProblems(settings).filter((text) => !told.includes(text))) section.report(problem);
  const [landing, egress] = [readOpen(section), readEgress(section)];
  const name = section.require('name', templateName)?.value ?? '';
  return {
    name,
    title: section.read('title', TITLE)?.value ?? name,
    description: section.read('description', DESCRIPTION)?.value ?? '',
    ...readImage(section),
    port: section.require('port', port)?.value ?? 0,
    readiness,
    ...readHealth(section, readiness),
    env: readEnv(section.section('env', undefined), section.has('database')),
    process: readProcess(section, limits, context.folder),
    ...landing,
    frame: section.read('frame', FRAME)?.value ?? DEFAULTS.frame,
    callToAction: readCallToAction(section),
    lead: readLead(section),
    // A fragment never leaves the browser.
    warmup: section.list('warmup', requestPath) ?? [landing.open.replace(/#.*$/, '')],
    limits: readLimits(limits),
    disk: {
      bytes: limits.read('disk', DISK)?.value ?? DEFAULTS.disk.bytes,
      files: limits.read('files', FILES)?.value ?? DEFAULTS.disk.files,
    },
    unusedCpu: limits.read('unused_cpu', UNUSED_CPU)?.value ?? DEFAULTS.unusedCpu,
    databaseBytes: limits.read('database', DATABASE)?.value ?? DEFAULTS.databaseBytes,
    services: readServices(section, { folder: context.folder, readLimits }),
    capabilities: [...new Set(section.list('capabilities', capability) ?? [])],
    seccomp: readSeccomp(section, context.folder),
    runtime: readRuntime(section, egress),
    memory: readMemory(section),
    egress,
    ...readUse(section),
    nodes: section.list('nodes', nodeLabel) ?? DEFAULTS.nodes,
    allowedOrigins: section.list('allowed_origins', webOrigin) ?? defaults.allowedOrigins,
    ...readCheckpointSections(section, context),
    export: readExport(section),
    ...readOffer(section),
    ...sizesAndTimes(settings, pick(pool, 'replenish_threshold', share, defaults.replenishThreshold), sized?.autosize),
  };
}

/** Until when it is offered, and what of it may be offered besides. */
function readOffer(section: YamlSection): Pick<Template, 'endsAtMs' | 'previews'> {
  return { endsAtMs: section.read('ends_at', INSTANT)?.value, previews: readPreviews(section) };
}

function readImage(section: YamlSection): Pick<Template, 'image' | 'pull' | 'imageCheck' | 'smoke'> {
  return {
    image: section.require('image', imageName)?.value ?? '',
    pull: section.read('pull', PULL)?.value ?? DEFAULTS.pull,
    imageCheck: section.read('image_check', IMAGE_CHECK)?.value,
    smoke: readSmoke(section),
  };
}

/** How long an instance lasts by what its visitor does. */
function readUse(section: YamlSection): Pick<Template, 'idle' | 'renewOnUse'> {
  const renewOnUse = section.read('renew', RENEW) !== undefined;
  if (!section.has('idle')) return { idle: undefined, renewOnUse };
  const idle = section.section('idle', ['end_after', 'warn']);
  const endAfterMs = idle.require('end_after', END_AFTER)?.value ?? 0;
  const warnMs = idle.read('warn', WARN)?.value ?? Math.min(DEFAULT_WARN_MS, endAfterMs / 2);
  if (endAfterMs > 0 && warnMs >= endAfterMs)
    idle.report('the warning has to come before the end: warn must be shorter than end_after', 'warn');
  return { idle: { endAfterMs, warnMs }, renewOnUse };
}

function readCallToAction(section: YamlSection): Template['callToAction'] {
  if (!section.has('call_to_action')) return undefined;
  const call = section.section('call_to_action', ['text', 'url']);
  const [text, address] = [call.require('text', CALL_TEXT)?.value, call.require('url', CALL_URL)?.value];
  return text === undefined || address === undefined ? undefined : { text, url: address };
}

/** One path, or the usual one and what else a link may ask for. */
function readOpen(section: YamlSection): Pick<Template, 'open' | 'openAllow'> {
  const { open, openAllow } = DEFAULTS;
  if (!section.has('open') || section.isSingle('open'))
    return { open: section.read('open', requestPath)?.value ?? open, openAllow };
  const choice = section.section('open', ['default', 'allow']);
  return {
    open: choice.read('default', requestPath)?.value ?? open,
    openAllow: choice.list('allow', landingPattern) ?? openAllow,
  };
}

function readLimits(limits: YamlSection): Template['limits'] {
  return {
    memoryBytes: limits.read('memory', MEMORY)?.value ?? DEFAULTS.limits.memoryBytes,
    cpus: limits.read('cpus', CPUS)?.value ?? DEFAULTS.limits.cpus,
    pids: limits.read('pids', PIDS)?.value ?? DEFAULTS.limits.pids,
  };
}

function sizesAndTimes(
  settings: PoolSettings,
  replenishThreshold: Setting<number>,
  autosize: Autosize | undefined,
): Pick<Template, 'pool' | 'ttl' | 'maxAgeMs'> {
  return {
    pool: {
      target: settings.target.value,
      max: settings.max.value,
      // What autosize counts with is that the successor of what is taken is begun at once.
      replenishThreshold: autosize === undefined ? replenishThreshold.value : 0,
      autosize,
    },
    ttl: { defaultMs: settings.defaultTtl.value, maxMs: settings.maxTtl.value },
    maxAgeMs: settings.maxAge.value,
  };
}

/**
 * Reads the catalogue file; every problem begins with `file:line`, in the file's order. The templates are only to be
 * used when there is none.
 */
export function parseTemplates(
  text: string,
  file: string,
  defaults: TemplateDefaults,
  context: Omit<SectionContext, 'folder'>,
): ParsedTemplates {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const source: YamlSource = { document, lines, file, problems: [] };
  for (const flaw of [...document.errors, ...document.warnings]) {
    source.problems.push({
      line: lines.linePos(flaw.pos[0]).line,
      text: `this is not YAML as it should be: ${flaw.message}`,
    });
  }
  if (document.errors.length > 0) return { templates: [], problems: listProblems(source) };
  const root = new YamlMapSection(source, document.contents, '', ['templates']);
  const sections = root.sections('templates', TEMPLATE_KEYS);
  if (!root.has('templates') || sections?.length === 0)
    root.report('the file must have a list named templates with at least one template in it', 'templates');
  const templates: Template[] = [];
  for (const section of sections ?? []) {
    const template = readTemplate(section, defaults, { ...context, folder: dirname(file) });
    if (template.name !== '' && templates.some(({ name }) => name === template.name))
      section.report(`the name ${template.name} is taken by an earlier template; choose another`, 'name');
    if (templates.length === 0 && template.endsAtMs !== undefined)
      section.report(
        `${section.path}.ends_at: the first template is the default, which has to be there always; put another one ` +
          'first, or leave ends_at out',
        'ends_at',
      );
    templates.push(template);
  }
  return { templates, problems: listProblems(source) };
}

/** The one template there is without a catalogue file. Its title is the image's last word. */
export function templateOfImage(image: string, appPort: number, defaults: TemplateDefaults): Template {
  const title =
    image
      .replace(/@.*$/, '')
      .replace(/:[^/]*$/, '')
      .split('/')
      .at(-1) ?? image;
  return {
    name: 'default',
    title,
    description: '',
    image,
    port: appPort,
    env: {},
    warmup: [DEFAULTS.open],
    ...DEFAULTS,
    capabilities: [],
    seccomp: ownFilter('default'),
    runtime: undefined,
    memory: 'private',
    egress: undefined,
    ...WITHOUT_CALLS,
    allowedOrigins: defaults.allowedOrigins,
    ...sizesAndTimes(defaults, defaults.replenishThreshold, undefined),
  };
}
