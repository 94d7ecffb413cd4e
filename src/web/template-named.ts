import { TryItNowError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import type { Demos } from '../http/demos.ts';

/** Throws unknown_template. */
export function templateNamed(demos: Pick<Demos, 'templates'>, name: string): Template {
  const template = demos.templates().find((candidate) => candidate.name === name);
  if (template === undefined)
    throw new TryItNowError(
      'unknown_template',
      `There is no template named ${JSON.stringify(name.slice(0, 64))}; the start page lists those there are`,
    );
  return template;
}
