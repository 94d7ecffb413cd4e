/** The files that operators write, as JSON Schemas for editors. */
import { DATABASE_ENGINES } from '../domain/database.ts';
import { BRANDING_KEYS, brandingIn } from './branding.ts';
import type { Setting } from './rules.ts';
import { schemaOf, type Json } from './schema-of.ts';
import { TEMPLATE_KEYS, readTemplate, type TemplateDefaults } from './templates.ts';

const DRAFT = 'http://json-schema.org/draft-07/schema#';

type Meaning = (path: string) => string | undefined;

/** Of TEMPLATES_FILE. `meaning`: what people are told of a key, such as `pool.target`. */
export function catalogueSchema(meaning: Meaning): Json {
  const context = { folder: '/', databaseEngines: DATABASE_ENGINES, usesCheckpoints: false };
  const template = schemaOf(TEMPLATE_KEYS, (section) => readTemplate(section, EXAMPLE_DEFAULTS, context), meaning);
  return {
    $schema: DRAFT,
    title: 'The templates of Try It Now',
    type: 'object',
    properties: { templates: { type: 'array', minItems: 1, items: template } },
    patternProperties: { '^x-': {} },
    required: ['templates'],
    additionalProperties: false,
  };
}

/** Of BRANDING_FILE. */
export function brandingSchema(meaning: Meaning): Json {
  const shape = schemaOf(BRANDING_KEYS, (section) => brandingIn(section, '/', undefined), meaning);
  return { $schema: DRAFT, title: 'The branding of Try It Now', ...shape };
}

function setting(value: number): Setting<number> {
  return { value, source: '', written: '', sound: true };
}

/** Of no account: only what is asked for counts. */
const EXAMPLE_DEFAULTS: TemplateDefaults = {
  target: setting(1),
  max: setting(2),
  replenishThreshold: setting(0),
  defaultTtl: setting(60_000),
  maxTtl: setting(120_000),
  maxAge: setting(3_600_000),
  allowedOrigins: [],
};
