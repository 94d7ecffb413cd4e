import { TryItNowError } from '../domain/errors.ts';
import { unknownVariables, type Environment } from './environment.ts';

/** One invalid_config that tells of all problems, and of what is set and does nothing: it may be what was meant. */
export function invalidConfig(problems: readonly string[], env: Environment): TryItNowError {
  const heading =
    problems.length === 1 ? 'The configuration has 1 problem' : `The configuration has ${problems.length} problems`;
  const unknown = unknownVariables(env);
  const hints = unknown.length === 0 ? [] : ['Also:', ...unknown.map((line) => `  - ${line}`)];
  const message = [`${heading}; nothing was started.`, ...problems.map((line) => `  - ${line}`), ...hints].join('\n');
  return new TryItNowError('invalid_config', message, { details: { problems } });
}
