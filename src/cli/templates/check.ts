import type { Environment } from '../../config/environment.ts';
import { EXIT_CONFIG } from '../../config/exit-config.ts';
import { loadConfig } from '../../config/load.ts';
import { TryItNowError } from '../../domain/errors.ts';

/**
 * Says of a catalogue file what `serve` would, in this environment: every problem with its line, or which templates it
 * offers. The exit code is 78 when there is a problem.
 */
export function checkTemplates(env: Environment, file: string): void {
  try {
    const { config, warnings } = loadConfig({ ...env, TEMPLATES_FILE: file }, undefined, { serves: true });
    for (const warning of warnings) console.warn(`Note: ${warning}`);
    const names = config.templates.map(({ name }) => name);
    console.log(`${file}: ${names.length} ${names.length === 1 ? 'template' : 'templates'}: ${names.join(', ')}`);
  } catch (error) {
    const problems = problemsOf(error);
    if (problems === undefined) throw error;
    for (const problem of problems) console.error(problem);
    console.error(`${file}: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`);
    process.exitCode = EXIT_CONFIG;
  }
}

function problemsOf(error: unknown): readonly string[] | undefined {
  if (!(error instanceof TryItNowError) || error.code !== 'invalid_config') return undefined;
  const problems = error.details?.['problems'];
  return Array.isArray(problems) ? problems.map(String) : undefined;
}
