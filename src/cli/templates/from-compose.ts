import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { environmentOf, readComposeFile } from '../../importers/compose-file.ts';
import type { ReadFile } from '../../importers/compose-mounts.ts';
import { fromCompose } from '../../importers/from-compose.ts';
import { templateFile, type TemplateDraft } from '../../importers/template-yaml.ts';
import { requireNewFile, writeTemplateFile } from './output-file.ts';

export interface FromComposeOptions {
  readonly service?: string;
  readonly output?: string;
}

/** Prints the template, or writes it. Throws invalid_config, invalid_request. */
export function fromComposeFile(env: Environment, file: string, { service, output }: FromComposeOptions): void {
  requireNewFile(output);
  const folder = dirname(resolve(file));
  const dotenv = join(folder, '.env');
  const variables = { ...(existsSync(dotenv) ? environmentOf(readText(dotenv)) : {}), ...env };
  const { compose, unset } = readComposeFile(readText(file), file, variables);
  const { draft, notes, problems } = fromCompose({
    compose,
    service,
    variables,
    readFile: below(folder),
    judge: (one) => problemsOf(one, folder),
  });
  for (const name of unset) console.warn(`Note: ${file} needs the variable ${name}, which is not set: taken as empty.`);
  const from = dirname(output === undefined ? resolve('templates.yaml') : resolve(output));
  writeTemplateFile(templateFile(withSourcesFrom(draft, folder, from), notes), output);
  for (const problem of problems) console.warn(`Note: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

/** In no environment but that of the file's folder: what it lacks is judged where it is used. */
function problemsOf(draft: TemplateDraft, folder: string): readonly string[] {
  try {
    loadConfig({ TEMPLATES_FILE: join(folder, 'template.yaml') }, () => templateFile(draft, []));
    return [];
  } catch (error) {
    const problems = error instanceof TryItNowError ? error.details?.['problems'] : undefined;
    if (Array.isArray(problems)) return problems.map(String);
    throw error;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TryItNowError('invalid_request', `${file} cannot be read: ${describeError(error)}`);
  }
}

function below(folder: string): ReadFile {
  const at = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  return {
    kind: (path) => {
      const found = statSync(at(path), { throwIfNoEntry: false });
      if (found === undefined) return 'missing';
      return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
    },
    environment: (path) => (existsSync(at(path)) ? environmentOf(readText(at(path))) : undefined),
  };
}

/** A template's files are looked for from the folder of its own file, not from the Compose file's. */
function withSourcesFrom(draft: TemplateDraft, folder: string, from: string): TemplateDraft {
  const moved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(moved);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        key === 'source' && typeof inner === 'string' ? shortest(resolve(folder, inner), from) : moved(inner),
      ]),
    );
  };
  return moved(draft) as TemplateDraft;
}

function shortest(path: string, from: string): string {
  const way = relative(from, path);
  return way.startsWith('..') ? path : way;
}
