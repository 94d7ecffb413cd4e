import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { VARIABLE_NAMES } from '../../src/config/variables.ts';

export interface ComposeService {
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly env_file?: readonly string[];
  readonly network_mode?: string;
  readonly hostname?: string;
  readonly privileged?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly image?: string;
  readonly build?: unknown;
  readonly read_only?: boolean;
  readonly user?: string;
}

type Settings = Readonly<Record<string, string>>;

/** `${NAME:-default}` in all texts of it, as Compose reads it with an .env of these settings. */
function interpolated(value: unknown, settings: Settings): unknown {
  if (typeof value === 'string')
    return value.replace(/\$\{(\w+):-([^}]*)\}/g, (_, name: string, otherwise: string) => settings[name] ?? otherwise);
  if (Array.isArray(value)) return value.map((each) => interpolated(each, settings));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, interpolated(each, settings)]));
}

/** By name. Ours says most things once, and names them many times. `settings`: those in the .env beside it. */
export async function composeServices(
  file: string,
  settings: Settings = {},
): Promise<Readonly<Record<string, ComposeService>>> {
  const all: unknown = parse(await readFile(file, 'utf8'), { merge: true, maxAliasCount: -1 });
  return (interpolated(all, settings) as { readonly services: Readonly<Record<string, ComposeService>> }).services;
}

/**
 * Throws what the program would say of its settings, with a secret in each file that it expects one in, and of what is
 * no setting at all.
 */
export function requireSoundSettings(service: ComposeService): void {
  const given = Object.entries(service.environment ?? {}).map(([name, value]) => [name, String(value)] as const);
  const unknown = given.map(([name]) => name).filter((name) => !isSetting(name));
  if (unknown.length > 0) throw new Error(`no settings: ${unknown.join(', ')}`);
  const files = new Map(secretFiles(service).map((file) => [file, createHash('sha256').update(file).digest('hex')]));
  const { warnings } = loadConfig(Object.fromEntries(given), (file) => {
    const secret = files.get(file);
    if (secret === undefined) throw new Error(`${file} is read, and is no secret`);
    return secret;
  });
  if (warnings.length > 0) throw new Error(warnings.join('\n'));
}

function isSetting(name: string): boolean {
  const isKnown = (each: string): boolean => (VARIABLE_NAMES as readonly string[]).includes(each);
  return isKnown(name) || (isSecretFile(name) && isKnown(name.replace(/_FILE$/, '')));
}

/** Where it expects its secrets. */
export function secretFiles({ environment = {} }: ComposeService): string[] {
  return Object.entries(environment).flatMap(([name, file]) =>
    isSecretFile(name) && file !== '' ? [String(file)] : [],
  );
}

function isSecretFile(name: string): boolean {
  return /_(?:PASSWORD|KEYS?)_FILE$/.test(name);
}
