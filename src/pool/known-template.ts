import { TryItNowError } from '../domain/errors.ts';
import type { Catalogue, Template } from '../domain/template.ts';

/** For operators. Throws unknown_template. */
export function knownTemplate({ catalogue }: { readonly catalogue: Catalogue }, name: string): Template {
  const template = catalogue.get(name);
  if (template === undefined) throw unknownTemplate(name);
  return template;
}

export function unknownTemplate(name: string): TryItNowError {
  return new TryItNowError(
    'unknown_template',
    `There is no template named ${JSON.stringify(name.slice(0, 64))}; \`try-it-now pool stats\` lists those there are`,
  );
}
