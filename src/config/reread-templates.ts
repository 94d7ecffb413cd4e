import { isDeepStrictEqual } from 'node:util';
import { TryItNowError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import type { Config } from './config.ts';
import type { Environment } from './environment.ts';
import { leadProblems } from './lead-section.ts';
import { loadConfig } from './load.ts';

/**
 * What the files say of templates now, for a process that was started with `config`. Throws invalid_config for whatever
 * would keep it from starting again.
 */
export function rereadTemplates(
  env: Environment,
  config: Config,
  { serves }: { readonly serves: boolean },
): { readonly templates: readonly Template[]; readonly text: string; readonly warnings: readonly string[] } {
  const now = loadConfig(env, undefined, { serves });
  const { templates } = now.config;
  // The webhooks are those that it was started with.
  const problems = serves ? leadProblems(templates, config.webhooks) : [];
  if (problems.length > 0) throw new TryItNowError('invalid_config', problems.join('\n'), { details: { problems } });
  const others = isDeepStrictEqual({ ...now.config, templates: [] }, { ...config, templates: [] })
    ? []
    : ['Other files than that of the templates have changed as well; what they say needs a restart'];
  return { templates, text: now.templatesText, warnings: [...now.warnings, ...others] };
}
