import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { VARIABLE_NAMES } from '../../src/config/variables.ts';

export interface ComposeService {
  readonly environment?: Readonly<Record<string, string | number>>;
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

/** `${NAME:-default}` as Compose reads it with an empty .env. */
function withDefaults(text: string): string {
  return text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
}

/** By name. Ours says most things once, and names them many times. */
export async function composeServices(file: string): Promise<Readonly<Record<string, ComposeService>>> {
  const text = withDefaults(await readFile(file, 'utf8'));
  return (
    parse(text, { merge: true, maxAliasCount: -1 }) as { readonly services: Readonly<Record<string, ComposeService>> }
  ).services;
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
  return Object.entries(environment).flatMap(([name, file]) => (isSecretFile(name) ? [String(file)] : []));
}

function isSecretFile(name: string): boolean {
  return /_(?:PASSWORD|KEYS?)_FILE$/.test(name);
}
