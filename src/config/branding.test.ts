import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_COLORS, brandFor, contrastWarnings } from '../presentation/branding.ts';
import { en } from '../presentation/languages/en.ts';
import { Languages } from '../presentation/languages/languages.ts';
import { readBranding } from './branding.ts';
import { readTextFile } from './environment.ts';
import { readLanguages } from './languages.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-branding-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function brand(text: string) {
  const file = join(folder, 'branding.yaml');
  await writeFile(file, text);
  return readBranding(file, readTextFile, ['shop', 'blog']);
}

describe('the branding file', () => {
  it('gives title, logo, colours, links and texts, each in the languages it has', async () => {
    await writeFile(join(folder, 'logo.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    const { branding, problems, warnings } = await brand(`
title: Acme
logo: {file: logo.svg, width: 120}
colors: {light: {accent: "#005A9C"}}
links: [{text: {en: Imprint, de: Impressum}, url: "https://acme.example/imprint?x=1"}]
call_to_action: {text: Buy, url: "mailto:sales@acme.example"}
`);
    expect([problems, warnings]).toEqual([[], []]);
    expect(branding).toMatchObject({
      title: [{ tag: undefined, text: 'Acme' }],
      logo: { type: 'image/svg+xml', width: 120, height: 28 },
      colors: { light: { ...DEFAULT_COLORS.light, accent: '#005a9c' }, dark: DEFAULT_COLORS.dark },
      links: [
        {
          text: [
            { tag: 'en', text: 'Imprint' },
            { tag: 'de', text: 'Impressum' },
          ],
          url: 'https://acme.example/imprint?x=1',
        },
      ],
      callToAction: { url: 'mailto:sales@acme.example' },
    });
  });

  it.each([
    ['titel: x', 'titel is not known; did you mean title?'],
    ['logo: gone.svg', 'which cannot be read'],
    ['logo: page.html', 'it must be a file that ends with .svg, .png or .webp'],
    ['colors: {light: {accent: red}}', 'colors.light.accent is "red"; it must be a colour as #rrggbb'],
    ['links: [{text: x, url: "javascript:alert(1)"}]', 'it must be a URL that starts with https://'],
    ['links: [{url: "https://x.example"}]', 'links[0].text is missing'],
    ['title: {"not a tag": x}', 'must be a language by its BCP 47 tag'],
    ['title: {}', 'title has no text'],
    ['abuse: "javascript:alert(1)"', 'abuse is "javascript:alert(1)"'],
    ['abuse: nobody', 'abuse is "nobody"'],
    ['title: [', 'not YAML as it should be'],
  ])('is refused when it says %s', async (text, problem) => {
    const { problems } = await brand(text);
    expect(problems.join('\n')).toContain(problem);
    expect(problems[0]).toMatch(/branding\.yaml:1: /);
  });

  it('names the pairs of colours that are hard to read', async () => {
    const { warnings } = await brand('colors: {light: {accent: "#ffcc00"}}');
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toContain(
      'colors.light.on_accent (#ffffff) on colors.light.accent (#ffcc00) has a contrast of 1.51:1',
    );
    expect(contrastWarnings(DEFAULT_COLORS)).toEqual([]);
  });
});

describe("a template's part of the branding file", () => {
  it('says what is different there; the rest is as above', async () => {
    await writeFile(join(folder, 'shop.png'), 'x');
    const { branding, problems, warnings } = await brand(`
title: Acme
legal: Wiped
abuse: abuse@acme.example
colors: {light: {accent: "#ffcc00"}}
links: [{text: Imprint, url: "https://acme.example/imprint"}]
templates:
  shop: {title: Acme Shop, intro: {de: Ein Laden}, logo: shop.png, links: [], colors: {light: {ground: "#fafafa"}}}
`);
    expect(problems).toEqual([]);
    const { shop } = branding.templates;
    expect(shop).toMatchObject({
      title: [{ text: 'Acme Shop' }],
      legal: [{ text: 'Wiped' }],
      abuse: 'mailto:abuse@acme.example',
      intro: [{ tag: 'de', text: 'Ein Laden' }],
      logo: { type: 'image/png', path: expect.stringMatching(/^\/assets\/logo\.[0-9a-f]{12}\.png$/) as string },
      links: [],
      colors: { light: { accent: '#ffcc00', ground: '#fafafa' }, dark: DEFAULT_COLORS.dark },
    });
    expect([branding.logo, branding.intro, brandFor(branding, 'other'), brandFor(branding, 'constructor')]).toEqual([
      undefined,
      undefined,
      branding,
      branding,
    ]);
    expect(brandFor(branding, 'shop')).toBe(shop);
    // What is hard to read on every page is told of once.
    expect(warnings.filter((text) => text.includes('.on_accent'))).toHaveLength(1);
    expect(warnings.filter((text) => text.includes('templates.shop.colors.light.accent'))).toEqual([
      expect.stringContaining('on templates.shop.colors.light.ground (#fafafa)'),
    ]);
  });

  it.each([
    ['templates: {shpo: {}}', 'templates.shpo is no template of yours; there are shop, blog'],
    ['templates: {shop: {logo: gone.svg}}', 'templates.shop.logo is "gone.svg", which cannot be read'],
    ['templates: {shop: {templates: {}}}', 'templates.shop.templates is not known'],
    ['templates: {shop: {colors: {light: {ink: black}}}}', 'templates.shop.colors.light.ink is "black"'],
    ['templates: [shop]', 'templates is a list; it must be a group of settings'],
  ])('is refused when it says %s', async (text, problem) => {
    expect((await brand(text)).problems.join('\n')).toContain(problem);
  });
});

describe('the folder of languages', () => {
  it('adds languages, replaces texts, and says what is missing or wrong', async () => {
    const languagesDir = await mkdtemp(join(folder, 'languages-'));
    const write = (name: string, value: unknown) => writeFile(join(languagesDir, name), JSON.stringify(value));
    await write('en.json', { 'home.try': 'Launch' });
    await write('ar.json', { 'home.ready': 'جاهز', 'home.redy': 'x' });
    const { languages, problems, warnings } = readLanguages(languagesDir, readTextFile);
    expect(problems).toEqual([]);
    expect(languages.map(({ tag }) => tag)).toEqual(['en', 'de', 'ar']);
    expect(languages[2]?.messages).toMatchObject({ 'home.ready': 'جاهز', 'home.try': 'Launch' });
    expect(languages[0].messages['home.ready']).toBe(en['home.ready']);
    expect(warnings).toEqual([
      expect.stringContaining('"home.redy" is not a text of ours; did you mean home.ready?'),
      expect.stringContaining(`lacks ${Object.keys(en).length - 1} of ${Object.keys(en).length} texts (site.title, `),
    ]);

    // Russian says 21 as it says 1.
    await write('ru.json', { 'badge.waiting': { one: '{count} ждёт', other: '{count} ждут' } });
    const russian = new Languages(readLanguages(languagesDir, readTextFile).languages).accepted('ru');
    const count = 21;
    expect([russian.text('badge.waiting', { count }), russian.text('waiting.progress_warming', { count })]).toEqual([
      '21 ждёт',
      '21 copies are being prepared',
    ]);

    await write('klingon!.json', {});
    await write('fr.json', { 'home.terms': 'Pour {temps}', 'waiting.progress_warming': 'x', 'home.try': 3 });
    await writeFile(join(languagesDir, 'it.json'), '{');
    const text = readLanguages(languagesDir, readTextFile).problems.join('\n');
    expect(text).toContain('klingon!.json must be named after its language');
    expect(text).toContain('fr.json: home.terms has {temps}, which nothing is put in for; use {time}');
    expect(text).toContain('fr.json: waiting.progress_warming must have a text for each plural form');
    expect(text).toContain('fr.json: home.try must be a text');
    expect(text).toContain('it.json is not JSON');
    expect(readLanguages(join(folder, 'nowhere'), readTextFile).problems[0]).toContain('LANGUAGES_DIR is');
  });
});
