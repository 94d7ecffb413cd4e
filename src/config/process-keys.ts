/** What a template says of its first process and of what that finds in the container. */
import { closestMatch } from 'leven';
import {
  PLACEHOLDERS,
  SECRET_PLACEHOLDERS,
  isOfDatabase,
  isPlaceholder,
  placeholderNames,
} from '../domain/placeholders.ts';
import { DEFAULT_PROCESS, type ProcessSettings } from '../domain/process-settings.ts';
import { commandWord } from './checkpoint-sections.ts';
import { readFiles } from './injected-files.ts';
import { bool, matching, oneOf, ParseError, size, type Parser } from './parsers.ts';
import { containerFolder, isWithin } from './paths.ts';
import type { YamlSection } from './yaml-section.ts';

export const PROCESS_KEYS = [
  'entrypoint',
  'command',
  'args',
  'user',
  'workdir',
  'files',
  'tmpfs',
  'read_only',
  'init',
  'stop_signal',
  'sysctls',
] as const;

/** Shells want less of a name; Elasticsearch (discovery.type), Spring and .NET have dots and dashes in them. */
const environmentName = /^[A-Za-z_][A-Za-z0-9_.-]{0,254}$/;
const environmentValue: Parser<string> = {
  type: 'text',
  expects: 'a text, a number or true or false',
  parse: (value) => (value.includes('\0') ? new ParseError('it has a NUL character') : value),
};

const user = matching(
  'user',
  /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?$/,
  'a user of the image or its number, with a group if need be, such as app or 1000:1000',
);
const stopSignal = oneOf(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGKILL']);
const SHM = size('64KiB', '1024GiB', '128MiB');
const TMPFS_SIZE = size('4KiB', '1024GiB', '16MiB');

/** Each belongs to the container's own network; none lets it reach farther, or take more than its limits. */
const SYSCTLS = [
  'net.core.somaxconn',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_max_syn_backlog',
  'net.ipv4.tcp_retries2',
  'net.ipv4.tcp_syn_retries',
  'net.ipv4.tcp_synack_retries',
  'net.ipv4.tcp_tw_reuse',
] as const;
const sysctlValue = matching(
  'numbers',
  /^\d{1,10}( \d{1,10})?$/,
  'a number, or two with a blank between, such as 4096',
);

/** Where a file that is put into the image would not be seen. */
const ALWAYS_COVERED = ['/dev', '/proc', '/sys', '/run/try-it-now'];

export function readEnv(section: YamlSection, hasDatabase: boolean): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of section.keys()) {
    if (!environmentName.test(name))
      section.report(
        `${JSON.stringify(name)} is not a name that a variable can have here; begin with a letter or _, and use ` +
          'letters, digits, _, . and -',
        name,
      );
    else {
      env[name] = section.read(name, environmentValue)?.value ?? '';
      judgePlaceholders(env[name], (problem) => section.report(`${section.path}.${name} ${problem}`, name), {
        hasDatabase,
        secrets: 'allowed',
      });
    }
  }
  return env;
}

export function readProcess(section: YamlSection, limits: YamlSection, folder: string): ProcessSettings {
  const hasDatabase = section.has('database');
  const tmpfs = readTmpfs(section.section('tmpfs', undefined));
  const readOnly = section.read('read_only', bool)?.value ?? DEFAULT_PROCESS.readOnly;
  const words = (key: string, least: number): string[] | undefined => {
    const found = section.list(key, commandWord, least);
    for (const word of found ?? [])
      judgePlaceholders(word, (problem) => section.report(`${section.path}.${key} ${problem}`, key), {
        hasDatabase,
        secrets: 'refused',
      });
    return found;
  };
  const files = readFiles(section, {
    folder,
    covered: [...ALWAYS_COVERED, '/tmp', ...Object.keys(tmpfs)],
    judge: (text, report) => judgePlaceholders(text, report, { hasDatabase, secrets: 'allowed' }),
  });
  if (readOnly && files.length > 0)
    section.report(
      `${section.path}.files cannot be put into a container that is read_only; have them in the image, or leave ` +
        'read_only out',
      'files',
    );
  return {
    entrypoint: words('entrypoint', 1),
    command: words('command', 0),
    args: words('args', 0) ?? DEFAULT_PROCESS.args,
    user: section.read('user', user)?.value,
    workdir: section.read('workdir', containerFolder)?.value,
    files,
    tmpfs,
    shmBytes: limits.read('shm', SHM)?.value ?? DEFAULT_PROCESS.shmBytes,
    readOnly,
    init: section.read('init', bool)?.value ?? DEFAULT_PROCESS.init,
    stopSignal: section.read('stop_signal', stopSignal)?.value,
    sysctls: readSysctls(section.section('sysctls', SYSCTLS)),
  };
}

function readTmpfs(section: YamlSection): Record<string, number> {
  const tmpfs: Record<string, number> = {};
  for (const key of section.keys()) {
    const path = containerFolder.parse(key);
    const bytes = section.read(key, TMPFS_SIZE)?.value;
    if (path instanceof ParseError)
      section.report(`${section.path} has ${JSON.stringify(key)}; each key must be ${containerFolder.expects}`, key);
    else if (path === '/' || ALWAYS_COVERED.some((taken) => isWithin(path, taken)))
      section.report(
        `${section.path} has ${key}, which is not the app's to choose` +
          (path === '/dev/shm' ? '; its size is limits.shm' : ''),
        key,
      );
    else if (bytes !== undefined) tmpfs[path] = bytes;
  }
  return tmpfs;
}

function readSysctls(section: YamlSection): Record<string, string> {
  const named = SYSCTLS.map((key) => [key, section.read(key, sysctlValue)?.value] as const);
  return Object.fromEntries(named.filter((each): each is readonly [(typeof each)[0], string] => each[1] !== undefined));
}

interface PlaceholderRules {
  readonly hasDatabase: boolean;
  readonly secrets: 'allowed' | 'refused';
}

function judgePlaceholders(text: string, report: (problem: string) => void, rules: PlaceholderRules): void {
  for (const name of new Set(placeholderNames(text))) {
    const written = `\${${name}}`;
    if (!isPlaceholder(name)) {
      const meant = closestMatch(name, PLACEHOLDERS, { maxDistance: Math.floor(name.length / 3) });
      report(
        `has ${written}, which stands for nothing ($${written} would be the text itself); ` +
          (meant === undefined ? `use one of ${PLACEHOLDERS.join(', ')}` : `did you mean \${${meant}}?`),
      );
    } else if (isOfDatabase(name) && !rules.hasDatabase)
      report(`has ${written}, but the template has no database; give it one (database: { seed: FILE.sql })`);
    else if (rules.secrets === 'refused' && SECRET_PLACEHOLDERS.includes(name))
      report(
        `has ${written}, and everybody on the host can read the arguments of a process; hand it over in env or files`,
      );
  }
}
