/** What a template says of when its app is ready, and how it is looked after from then on. */
import { DEFAULT_READINESS, type AppCheck, type StatusRange } from '../domain/readiness.ts';
import type { Template } from '../domain/template.ts';
import { commandWord, requestPath } from './checkpoint-sections.ts';
import { bool, duration, matching, ParseError, type Parser } from './parsers.ts';
import type { YamlSection } from './yaml-section.ts';

const KINDS = ['path', 'http', 'tcp', 'exec'] as const;
const TIMEOUT = duration('1s', '30m', '60s');
const REQUEST_TIMEOUT = duration('100ms', '10m', '10s');
const INTERVAL = duration('10ms', '1m', '500ms');
const DEFAULT_CHECK: AppCheck = { kind: 'http', path: '/', statuses: undefined, host: undefined };

const statusRange: Parser<StatusRange> = {
  type: 'status',
  expects: 'a status or a range of them from 100 to 599, such as 401 or 200-399',
  parse: (text) => {
    const [, first = '', last = first] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text.replaceAll(' ', '')) ?? [];
    if (first === '') return new ParseError();
    const [from, to] = [Number(first), Number(last)];
    return from <= to ? { from, to } : new ParseError('the range ends before it begins');
  },
};

const hostHeader = matching(
  'host',
  /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})(:\d{1,5})?$/,
  'a host name with or without a port, such as localhost:8080',
);

export function readReadiness(section: YamlSection): Template['readiness'] {
  const readiness = section.section('readiness', [...KINDS, 'timeout', 'request_timeout', 'interval']);
  return {
    ...(readCheck(readiness) ?? DEFAULT_CHECK),
    timeoutMs: readiness.read('timeout', TIMEOUT)?.value ?? DEFAULT_READINESS.timeoutMs,
    requestTimeoutMs: readiness.read('request_timeout', REQUEST_TIMEOUT)?.value ?? DEFAULT_READINESS.requestTimeoutMs,
    intervalMs: readiness.read('interval', INTERVAL)?.value,
  };
}

/** Without a word of it, an instance is looked after as it became ready. */
export function readHealth(
  section: YamlSection,
  readiness: Template['readiness'],
): Pick<Template, 'health' | 'replaceSlow'> {
  if (!section.has('health')) return { health: undefined, replaceSlow: true };
  const health = section.section('health', [...KINDS, 'request_timeout', 'replace_slow']);
  return {
    health: {
      ...(readCheck(health) ?? readiness),
      requestTimeoutMs: health.read('request_timeout', REQUEST_TIMEOUT)?.value ?? readiness.requestTimeoutMs,
    },
    replaceSlow: health.read('replace_slow', bool)?.value ?? true,
  };
}

/** Undefined when none is named, or it is wrong, which is reported. */
function readCheck(section: YamlSection): AppCheck | undefined {
  const named = KINDS.filter((key) => section.has(key));
  const [kind, second] = named;
  if (second !== undefined) {
    section.report(
      `${section.path} has ${named.join(' and ')}; it must have one of them: http: { path: /healthz }, tcp: true or ` +
        'exec: [/app/ready]; path: /healthz is short for http',
      second,
    );
    return undefined;
  }
  if (kind === undefined) return undefined;
  switch (kind) {
    case 'path':
      return plainPath(section, 'path');
    case 'http':
      return section.isSingle('http') ? plainPath(section, 'http') : readHttp(section);
    case 'tcp': {
      const wanted = section.read('tcp', bool)?.value;
      if (wanted === false)
        section.report(`${section.path}.tcp is false; leave it out, or say what else shows that the app serves`, 'tcp');
      return wanted === true ? { kind: 'tcp' } : undefined;
    }
    case 'exec': {
      const command = section.list('exec', commandWord, 1);
      return command === undefined ? undefined : { kind: 'exec', command };
    }
  }
}

function plainPath(section: YamlSection, key: 'path' | 'http'): AppCheck | undefined {
  const path = section.read(key, requestPath)?.value;
  return path === undefined
    ? undefined
    : { ...DEFAULT_CHECK, kind: 'http', path, statuses: undefined, host: undefined };
}

function readHttp(section: YamlSection): AppCheck {
  const http = section.section('http', ['path', 'status', 'host']);
  return {
    kind: 'http',
    path: http.read('path', requestPath)?.value ?? '/',
    statuses: readStatuses(http),
    host: http.read('host', hostHeader)?.value,
  };
}

/** One, or a list of them. */
export function readStatuses(section: YamlSection): readonly StatusRange[] | undefined {
  if (!section.isSingle('status')) return section.list('status', statusRange, 1);
  const single = section.read('status', statusRange)?.value;
  return single === undefined ? undefined : [single];
}
