import { TryItNowError } from '../domain/errors.ts';
import { hasEnded, type Template } from '../domain/template.ts';
import { templateEnded } from '../domain/template-ended.ts';
import type { Demos } from '../http/demos.ts';

/** Throws unknown_template, template_ended. */
export function templateNamed(demos: Pick<Demos, 'templates' | 'template'>, name: string): Template {
  const template = demos.templates().find((candidate) => candidate.name === name);
  if (template === undefined) {
    const known = demos.template(name);
    if (known !== undefined && hasEnded(known, Date.now())) throw templateEnded(known);
    throw new TryItNowError(
      'unknown_template',
      `There is no template named ${JSON.stringify(name.slice(0, 64))}; the start page lists those there are`,
    );
  }
  return template;
}
