import { parseEnv } from 'node:util';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { parseDocument } from 'yaml';
import { TryItNowError, describeError } from '../domain/errors.ts';

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const Words = Type.Union([Scalar, Type.Array(Scalar), Type.Null()]);
const ListOrMap = Type.Union([
  Type.Array(Scalar),
  Type.Record(Type.String(), Type.Union([Scalar, Type.Null()])),
  Type.Null(),
]);
const Anything = Type.Record(Type.String(), Type.Unknown());

/** The keys that mean something for a template; the Compose specification has the rest. */
const ServiceKeys = Type.Object({
  image: Type.Optional(Scalar),
  build: Type.Optional(Type.Unknown()),
  platform: Type.Optional(Scalar),
  entrypoint: Type.Optional(Words),
  command: Type.Optional(Words),
  user: Type.Optional(Scalar),
  working_dir: Type.Optional(Scalar),
  environment: Type.Optional(ListOrMap),
  env_file: Type.Optional(Type.Union([Scalar, Type.Array(Type.Union([Scalar, Anything]))])),
  ports: Type.Optional(Type.Array(Type.Union([Scalar, Anything]))),
  expose: Type.Optional(Type.Array(Scalar)),
  depends_on: Type.Optional(Type.Union([Type.Array(Scalar), Anything])),
  healthcheck: Type.Optional(Anything),
  volumes: Type.Optional(Type.Array(Type.Union([Scalar, Anything]))),
  configs: Type.Optional(Type.Array(Type.Union([Scalar, Anything]))),
  secrets: Type.Optional(Type.Array(Type.Union([Scalar, Anything]))),
  tmpfs: Type.Optional(Type.Union([Scalar, Type.Array(Scalar)])),
  cap_add: Type.Optional(Type.Array(Scalar)),
  cap_drop: Type.Optional(Type.Array(Scalar)),
  pull_policy: Type.Optional(Scalar),
  sysctls: Type.Optional(ListOrMap),
  read_only: Type.Optional(Type.Boolean()),
  init: Type.Optional(Type.Boolean()),
  privileged: Type.Optional(Type.Boolean()),
  shm_size: Type.Optional(Scalar),
  mem_limit: Type.Optional(Scalar),
  cpus: Type.Optional(Scalar),
  pids_limit: Type.Optional(Scalar),
  deploy: Type.Optional(Anything),
  stop_signal: Type.Optional(Scalar),
  network_mode: Type.Optional(Scalar),
  devices: Type.Optional(Type.Array(Type.Unknown())),
  pid: Type.Optional(Scalar),
  ipc: Type.Optional(Scalar),
  extends: Type.Optional(Type.Unknown()),
});
const ComposeKeys = Type.Object({
  services: Type.Record(Type.String(), ServiceKeys),
  include: Type.Optional(Type.Unknown()),
  configs: Type.Optional(Type.Record(Type.String(), Anything)),
  secrets: Type.Optional(Type.Record(Type.String(), Anything)),
});

const NO_COMPOSE_FILE = 'it has no `services`; it must be a Compose file';
export const NOT_INCLUDED = '`include` is not followed: give the file that `docker compose config` prints instead';

export type ComposeService = Static<typeof ServiceKeys>;
export type ComposeFile = Static<typeof ComposeKeys>;
/** A value of Compose's short form or the settings of its long one. */
export type ShortOrLong = string | number | boolean | Readonly<Record<string, unknown>>;

/** What Compose puts in for `$X`, `${X}`, `${X:-default}`, `${X?message}` and their like; `$$` is a dollar sign. */
const REFERENCE =
  /\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])((?:[^{}$]|\$\{[^{}]*\})*))?\})/g;

/**
 * Reads a file of the Compose specification, its variables replaced by those of `variables` (the environment and the
 * `.env` beside it). Throws invalid_config, with what is wrong and where.
 */
export function readComposeFile(
  text: string,
  file: string,
  variables: Readonly<Record<string, string | undefined>>,
): { readonly compose: ComposeFile; readonly unset: readonly string[] } {
  const document = parseDocument(text, { merge: true });
  const [error] = document.errors;
  if (error !== undefined) throw refusal(file, `this is not YAML as it should be: ${error.message.split('\n')[0]}`);
  const unset = new Set<string>();
  let raw: unknown;
  try {
    raw = interpolated(plainValue(document, file), (reference) => resolve(reference, variables, unset, file));
  } catch (problem) {
    if (problem instanceof TryItNowError) throw problem;
    // An alias within what it names unfolds without end.
    if (problem instanceof RangeError) throw refusal(file, 'an alias in it refers to itself');
    throw problem;
  }
  if (typeof raw !== 'object' || raw === null || !('services' in raw)) {
    const includes = typeof raw === 'object' && raw !== null && 'include' in raw;
    const why = includes ? `it has no \`services\` of its own, and ${NOT_INCLUDED}` : NO_COMPOSE_FILE;
    throw refusal(file, why);
  }
  const services = raw.services;
  const wanted = { ...raw, services: typeof services === 'object' && services !== null ? services : {} };
  if (!Value.Check(ComposeKeys, wanted)) {
    const [first] = Value.Errors(ComposeKeys, wanted);
    const at = (first?.instancePath ?? '').slice(1).replaceAll('/', '.');
    throw refusal(file, `${at === '' ? 'it' : at} is not as Compose has it: ${first?.message ?? 'unknown shape'}`);
  }
  if (Object.keys(wanted.services).length === 0) throw refusal(file, 'its `services` has no entry');
  return { compose: wanted, unset: [...unset] };
}

/**
 * A list of `NAME=value` or a mapping, as a mapping. A name alone takes its value from `variables`, and is left out
 * where they have none.
 */
export function mapping(
  value: Static<typeof ListOrMap> | undefined,
  variables: Readonly<Record<string, string | undefined>> = {},
  onLeftOut: (name: string) => void = () => undefined,
): Record<string, string> {
  const entries: readonly (readonly [string, Static<typeof Scalar> | null])[] = Array.isArray(value)
    ? value.map((item) => {
        const [, name = '', given] = /^([^=]*)(?:=([\s\S]*))?$/.exec(String(item)) ?? [];
        return [name, given ?? null];
      })
    : Object.entries(value ?? {});
  return Object.fromEntries(
    entries.flatMap(([name, given]) => {
      const found = given === null ? variables[name] : String(given);
      if (found === undefined) onLeftOut(name);
      return found === undefined ? [] : [[name, found]];
    }),
  );
}

/** The variables of an `.env` file. */
export function environmentOf(text: string): Record<string, string> {
  return parseEnv(text) as Record<string, string>;
}

function plainValue(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS();
  } catch (problem) {
    // Too many aliases, or one that names nothing.
    throw refusal(file, describeError(problem));
  }
}

function interpolated(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') return replace(value);
  if (Array.isArray(value)) return value.map((item) => interpolated(item, replace));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolated(item, replace)]));
}

function resolve(
  text: string,
  variables: Readonly<Record<string, string | undefined>>,
  unset: Set<string>,
  file: string,
): string {
  return text.replace(
    REFERENCE,
    (
      _all: string,
      dollar: string | undefined,
      bare: string | undefined,
      braced: string | undefined,
      operator: string | undefined,
      operand: string = '',
    ) => {
      if (dollar !== undefined) return '$';
      const name = bare ?? braced ?? '';
      const value = variables[name];
      const given = value !== undefined && (operator?.startsWith(':') !== true || value !== '');
      const otherwise = (): string => resolve(operand, variables, unset, file);
      switch (operator?.at(-1)) {
        case '-':
          return given ? value : otherwise();
        case '+':
          return given ? otherwise() : '';
        case '?':
          if (!given) throw refusal(file, `it needs the variable ${name} to be set: ${operand || 'no reason given'}`);
          return value;
        case undefined:
        default:
          if (value === undefined) unset.add(name);
          return value ?? '';
      }
    },
  );
}

function refusal(file: string, why: string): TryItNowError {
  return new TryItNowError('invalid_config', `${file}: ${why}`);
}
