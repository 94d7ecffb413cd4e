/** What a template says of activation, identity and checkpoints. */
import type { DatabaseEngine } from '../domain/database.ts';
import { DEFAULT_DUMP, type InstanceCall, type Template } from '../domain/template.ts';
import { readDatabase } from './database-section.ts';
import { bool, duration, matching, ParseError, size, type Parser } from './parsers.ts';
import { archiveFile } from './paths.ts';
import type { YamlSection } from './yaml-section.ts';

/** What else decides whether a template can be offered. */
export interface SectionContext {
  /** The folder of the catalogue file: where its relative paths start. */
  readonly folder: string;
  /** Those of which this node has a server. */
  readonly databaseEngines: readonly DatabaseEngine[];
  readonly usesCheckpoints: boolean;
}

export const requestPath = matching(
  'path',
  /^\/[\x21-\x7e]{0,1000}$/,
  'a path that starts with / and has no blanks, such as /healthz',
);

export const commandWord: Parser<string> = {
  type: 'text',
  expects: 'a word of a command, such as /app/activate',
  parse: (word) => (word.length <= 4096 && !word.includes('\0') ? word : new ParseError()),
};
const ACTIVATION_TIMEOUT = duration('100ms', '10m', '10s');
const DEFAULT_ACTIVATION_TIMEOUT_MS = 10_000;

const NO_IDENTITY: Parser<'none'> = {
  type: 'none',
  expects: 'none, or how an instance is asked who it is: {http: /path} or {exec: [command]}',
  parse: (text) => (text === 'none' ? text : new ParseError()),
};
const CONFIRMED: Parser<'confirmed'> = {
  type: 'confirmed',
  expects: 'confirmed, once the random numbers of its clones are seen to (docs/criu-checkpoint.md#random-numbers)',
  parse: (text) => (text === 'confirmed' ? text : new ParseError()),
};
const GHOST_LIMIT = size('1KiB', '4GiB', '16MiB');

/** What an app gets that says nothing of these: never anything run in it. */
export const WITHOUT_CALLS = {
  activation: undefined,
  identity: undefined,
  checkpoint: {
    enabled: true,
    file: undefined,
    warmup: [],
    check: undefined,
    random: undefined,
    dump: DEFAULT_DUMP,
  },
  database: undefined,
  services: [],
  export: undefined,
} as const satisfies Partial<Template>;

const CHECKPOINT_KEYS = [
  'enabled',
  'file',
  'warmup',
  'check',
  'random',
  'file_locks',
  'ghost_limit',
  'tcp_close',
  'link_remap',
] as const;

export function readCheckpointSections(
  section: YamlSection,
  context: SectionContext,
): Pick<Template, 'activation' | 'identity' | 'checkpoint' | 'database'> {
  return {
    activation: readActivation(section),
    identity: readIdentity(section),
    checkpoint: readCheckpoint(section.section('checkpoint', CHECKPOINT_KEYS), context),
    database: readDatabase(section, context),
  };
}

function readActivation(section: YamlSection): Template['activation'] {
  if (!section.has('activation')) return undefined;
  const activation = section.section('activation', ['exec', 'http', 'timeout']);
  const call = readCall(activation);
  const timeoutMs = activation.read('timeout', ACTIVATION_TIMEOUT)?.value ?? DEFAULT_ACTIVATION_TIMEOUT_MS;
  return call === undefined ? undefined : { ...call, timeoutMs };
}

function readIdentity(section: YamlSection): Template['identity'] {
  if (section.isSingle('identity')) return section.read('identity', NO_IDENTITY)?.value;
  return section.has('identity') ? readCall(section.section('identity', ['exec', 'http'])) : undefined;
}

/** Undefined when it is wrong, which is reported. `others`: what else may stand there. */
export function readCall(section: YamlSection, others: readonly string[] = ['timeout']): InstanceCall | undefined {
  // That it is no group of settings, or that its keys are misspelt, was reported: what they were to be must not be
  // asked for as well.
  if (!section.isGroup) return undefined;
  if (section.has('exec') === section.has('http')) {
    const both = section.has('exec');
    if (both || section.keys().every((key) => others.includes(key)))
      section.report(
        `${section.path} has ${both ? 'both exec and http' : 'neither exec nor http'}; it must have one of them: ` +
          'exec: [/app/command, argument] or http: /path',
      );
    return undefined;
  }
  if (section.has('http')) {
    const path = section.read('http', requestPath);
    return path === undefined ? undefined : { kind: 'http', path: path.value };
  }
  const command = section.list('exec', commandWord, 1);
  if (command === undefined) return undefined;
  if (command[0]?.trim() === '')
    section.report(
      `${section.path}.exec begins with an empty word; it must begin with the ` +
        'command, such as [/app/command, argument]',
      'exec',
    );
  return { kind: 'exec', command };
}

function readCheckpoint(section: YamlSection, { folder, usesCheckpoints }: SectionContext): Template['checkpoint'] {
  const defaults = WITHOUT_CALLS.checkpoint;
  const enabled = section.read('enabled', bool)?.value ?? defaults.enabled;
  return {
    enabled,
    file: section.read('file', archiveFile(folder, usesCheckpoints && enabled ? 'must exist' : 'may be absent'))?.value,
    warmup: section.list('warmup', requestPath) ?? defaults.warmup,
    check: section.has('check') ? readCall(section.section('check', ['exec', 'http'])) : undefined,
    random: section.read('random', CONFIRMED)?.value,
    dump: {
      fileLocks: section.read('file_locks', bool)?.value ?? defaults.dump.fileLocks,
      ghostLimitBytes: section.read('ghost_limit', GHOST_LIMIT)?.value ?? defaults.dump.ghostLimitBytes,
      tcpClose: section.read('tcp_close', bool)?.value ?? defaults.dump.tcpClose,
      linkRemap: section.read('link_remap', bool)?.value ?? defaults.dump.linkRemap,
    },
  };
}
