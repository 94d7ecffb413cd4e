import { readFileSync } from 'node:fs';
import { closestMatch } from 'leven';
import { describeError } from '../domain/errors.ts';
import { closedByUnit } from '../lifecycle/closed-by-unit.ts';
import { ParseError, type Parser } from './parsers.ts';
import type { Variable } from './variable.ts';
import { VARIABLES, VARIABLE_NAMES, type Values, type VariableName } from './variables.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
/** Reads a whole text file, or throws. */
export type FileReader = (path: string) => string;

export const readTextFile: FileReader = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const hint = closedByUnit(error, path);
    throw hint === '' ? error : new Error(`${describeError(error)}${hint}`, { cause: error });
  }
};

export interface ParsedEnvironment<Name extends VariableName = VariableName> {
  /**
   * A wrong or missing value is replaced by the default, so that the rules can go on and everything is told at once.
   */
  readonly values: Pick<Values, Name>;
  readonly problems: readonly string[];
  /** The variables whose values are not what was meant; rules over them would only repeat the problem. */
  readonly broken: ReadonlySet<VariableName>;
  /** The variables that were given, themselves or by their _FILE. */
  readonly explicit: ReadonlySet<VariableName>;
}

/** As a message may show it: credentials in an address hidden, cut at a length that fits a line. */
export function quote(text: string): string {
  const safe = text.replace(/\/\/.*@/s, '//(hidden)@');
  return JSON.stringify(safe.length > 80 ? `${safe.slice(0, 80)}…` : safe);
}

/** "NAME is … but must be …" for a text that is not of its kind. */
export function mismatch(name: string, given: string | undefined, parser: Parser<unknown>, wrong: ParseError): string {
  const value = given === undefined ? 'has a value (not shown) that is wrong' : `is ${quote(given)}`;
  return `${name} ${value}${wrong.why === undefined ? '' : ` (${wrong.why})`}; it must be ${parser.expects}`;
}

/**
 * The text given for a variable. Empty counts as not given, because that is what an unset line
 * of a compose file becomes.
 */
function givenText(name: VariableName, env: Environment, readFile: FileReader, problems: string[]): string | undefined {
  const direct = env[name] === '' ? undefined : env[name];
  if (!(VARIABLES[name] satisfies Variable<unknown> as Variable<unknown>).secret)
    return direct?.trim() === '' ? undefined : direct?.trim();
  const fileName = `${name}_FILE`;
  const file = env[fileName] === '' ? undefined : env[fileName];
  if (file === undefined) return direct;
  if (direct !== undefined) {
    problems.push(`${name} and ${fileName} are both set; remove one of them`);
    return undefined;
  }
  try {
    const text = readFile(file).replace(/\r?\n$/, '');
    if (text !== '') return text;
    problems.push(`${fileName} names ${quote(file)}, which is empty; write the value into it or unset ${fileName}`);
  } catch (error) {
    problems.push(
      `${fileName} names ${quote(file)}, which cannot be read (${describeError(error)}); ` +
        "fix the path or the file's permissions",
    );
  }
  return undefined;
}

/** `names`: those that count; no other is looked at, nor is a file that one of them names. */
export function readEnvironment<Name extends VariableName>(
  env: Environment,
  readFile: FileReader,
  names: readonly Name[] = VARIABLE_NAMES as readonly VariableName[] as readonly Name[],
): ParsedEnvironment<Name> {
  const problems: string[] = [];
  const broken = new Set<VariableName>();
  const explicit = new Set<VariableName>();
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const name of names) {
    const variable: Variable<unknown> = VARIABLES[name];
    const before = problems.length;
    const given = givenText(name, env, readFile, problems);
    if (problems.length > before) broken.add(name);
    if (given !== undefined) explicit.add(name);
    let value = given === undefined ? undefined : variable.parser.parse(given);
    if (value instanceof ParseError) {
      problems.push(mismatch(name, variable.secret ? undefined : given, variable.parser, value));
      broken.add(name);
      value = undefined;
    }
    values[name] = value ?? (variable.default === undefined ? undefined : variable.parser.parse(variable.default));
  }
  return { values: values as Pick<Values, Name>, problems, broken, explicit };
}

/** Beginnings that nobody else uses, so that what follows is surely meant for us. */
const OWN_PREFIXES = [
  'POOL_',
  'RATE_LIMIT_',
  'CONTAINER_PORT_',
  'QUEUE_WORKER_',
  'DISCOVERY_',
  'TEMPLATES_',
  'LANGUAGES_',
  'BRANDING_',
  'CHECKPOINT_',
  'FUNNEL_',
  'WEBHOOKS_',
  'CADDY_ADMIN_',
  'PROXY_LISTEN',
  'PROXY_INTERNAL_',
  'VALKEY_SENTINEL',
  'TRACES_',
];
const SECRET_FILES = VARIABLE_NAMES.filter((name) => VARIABLES[name].secret).map((name) => `${name}_FILE`);

/** What is set but does nothing, most likely a slip of the pen. */
export function unknownVariables(env: Environment): string[] {
  const known: readonly string[] = [...VARIABLE_NAMES, ...SECRET_FILES];
  const warnings: string[] = [];
  for (const name of Object.keys(env).sort()) {
    if (env[name] === undefined || env[name] === '' || known.includes(name)) continue;
    const bare = name.replace(/^TRY_IT_NOW_/, '');
    // Two slips at most, and fewer in a short name, or NODE_ENV would be taken for NODE_NAME.
    const meant = known.includes(bare) ? bare : closestMatch(name, known, { maxDistance: name.length > 8 ? 2 : 1 });
    if (meant !== undefined)
      warnings.push(`${name} is set but is not a variable of Try It Now; did you mean ${meant}?`);
    else if (OWN_PREFIXES.some((prefix) => name.startsWith(prefix)))
      warnings.push(`${name} is set but is not a variable of Try It Now; docs/reference/config.md lists them`);
  }
  return warnings;
}
