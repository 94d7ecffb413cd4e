import { readFileSync } from 'node:fs';
import Schema from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { brandingSchema, catalogueSchema } from './file-schemas.ts';

const schema = catalogueSchema(() => undefined);
const branding = brandingSchema(() => undefined);
const fits = (text: string, file = schema): boolean =>
  Schema.Check(file as never, parse(text, { merge: true }) as never);
const one = (rest: string): string => `templates: [{ name: a, image: b, port: 1, ${rest} }]`;

describe('the schema of the catalogue file', () => {
  it.each<readonly [string, string]>([
    [
      'the example of docs/templates.md',
      /\n## Every key\n\n```yaml\n(.*?)```/s.exec(readFileSync('docs/templates.md', 'utf8'))?.[1] ?? '',
    ],
    ...['hello', 'wordpress'].map((name) => [name, readFileSync(`examples/${name}/template.yaml`, 'utf8')] as const),
    ['merge keys and keys of your own', 'x-a: &a { image: b }\ntemplates: [{ <<: *a, name: a, port: 1, x-b: [] }]'],
    ['a shorthand', one('readiness: { http: /ready }')],
    ['what stands in its place', one('readiness: { http: { path: /ready, status: 401 } }')],
    ['a list of it', one('readiness: { http: { status: [401, 200-399] } }')],
  ])('takes %s', (_, text) => {
    expect(fits(text)).toBe(true);
  });

  it.each([
    'templates: []',
    'apps: []',
    'templates: [{ name: a, image: b }]',
    one('colour: red'),
    'templates: [{ name: a, image: b, port: none }]',
    one('readiness: { timeout: 60 }'),
    one('limits: { memory: lots }'),
    one('env: [A]'),
    one('files: [{ path: /a, contents: x }]'),
    one('sysctls: { kernel.shmmax: 1 }'),
    one('activation: { exec: /app/activate }'),
  ])('does not take %s', (text) => {
    expect(fits(text)).toBe(false);
  });

  it.each([schema, branding])('says what each key may be: %#', (file) => {
    const unknown: string[] = [];
    const walk = (path: string, shape: unknown): void => {
      if (typeof shape !== 'object' || shape === null) return;
      if (Object.keys(shape).length === 0) unknown.push(path);
      const {
        properties = {},
        items,
        anyOf = [],
      } = shape as {
        properties?: Record<string, unknown>;
        items?: unknown;
        anyOf?: unknown[];
      };
      for (const [key, inner] of Object.entries(properties)) if (key !== '<<') walk(`${path}.${key}`, inner);
      for (const inner of [items, ...anyOf]) walk(path, inner);
    };
    walk('', file);
    expect(unknown).toEqual([]);
  });
});

describe('the schema of the branding file', () => {
  it.each([
    ['the example of docs/branding.md', /```yaml\n(.*?)```/s.exec(readFileSync('docs/branding.md', 'utf8'))?.[1] ?? ''],
    ['one text for all languages', 'title: Acme'],
    [
      'what is different for a template',
      'templates: { shop: { legal: { de: x }, colors: { dark: { ink: "#ffffff" } } } }',
    ],
  ])('takes %s', (_, text) => expect(fits(text, branding)).toBe(true));

  it.each([
    'titel: x',
    'colors: { light: { accent: red } }',
    'logo: { width: 20 }',
    'links: [{ url: "https://x.example/" }]',
    'templates: { shop: { templates: {} } }',
    'templates: [shop]',
  ])('does not take %s', (text) => expect(fits(text, branding)).toBe(false));
});
