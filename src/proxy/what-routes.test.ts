import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DEFAULT_COLORS, NO_BRANDING, type Logo } from '../presentation/branding.ts';
import { BUILT_IN_LANGUAGES, Languages } from '../presentation/languages/languages.ts';
import { demoServer, type DemoServerOptions } from './caddy-config.ts';
import type { Json } from './json.ts';
import { whatRoutes } from './what-routes.ts';

const OPTIONS: DemoServerOptions = {
  listen: ':8000',
  address: { scheme: 'https', baseDomain: 'demo.example.test', port: undefined },
  innerPorts: [80],
  responseTimeoutMs: 90_000,
  discovery: { host: '127.0.0.1', port: 15353, metrics: { host: '127.0.0.1', port: 15354 } },
  publicUrl: 'https://try.example.test',
  allowedOrigins: ['https://shop.example.test'],
  trustedProxies: ['10.0.0.0/8'],
};
const LOGO: Logo = {
  ...{ path: '/assets/logo.ba9876543210.svg', body: '', type: 'image/svg+xml' },
  ...{ width: 32, height: 32 },
};
const SERVER: Json = demoServer(OPTIONS);
const [ENGLISH, ...OTHERS] = BUILT_IN_LANGUAGES;

type Path = readonly (string | number)[];

function leaves(value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, each]: [string, Json]) => leaves(each, [...path, name]));
}

function changed(value: Json, [name, ...rest]: Path, change: (leaf: Json) => Json): Json {
  if (name === undefined) return change(value);
  const copy = (Array.isArray(value) ? [...(value as Json[])] : { ...(value as object) }) as Record<string, Json>;
  copy[name] = changed(copy[name] ?? null, rest, change);
  return copy;
}

function another(leaf: Json): Json {
  if (typeof leaf === 'string') return `${leaf} other`;
  return typeof leaf === 'number' ? leaf + 1 : leaf !== true;
}

const isOf = (path: Path, ...names: string[]): boolean => path.some((name) => names.includes(String(name)));
const isText = (path: Path): boolean => path.at(-1) === 'body';
const isLanguage = (path: Path): boolean => isOf(path, 'mappings', 'defaults', '{try_it_now.language}');
const ofPages = (change: (body: string) => string): Json =>
  JSON.parse(
    JSON.stringify(SERVER, (name, value: Json) =>
      name === 'body' && typeof value === 'string' ? change(value) : value,
    ),
  ) as Json;

describe('of two configurations of the proxy, what routes', () => {
  it.each([
    ['a title', { branding: { ...NO_BRANDING, title: [{ tag: undefined, text: 'Shop' }] as const } }],
    ['colors', { branding: { ...NO_BRANDING, colors: { ...DEFAULT_COLORS, light: DEFAULT_COLORS.dark } } }],
    ['one more language', { languages: new Languages([ENGLISH, ...OTHERS, { ...ENGLISH, tag: 'nl' }]) }],
    ['one language only', { languages: new Languages([ENGLISH]) }],
    ['another first language', { languages: new Languages([OTHERS[0] ?? ENGLISH, ENGLISH]) }],
  ])('is the same with %s', (_, options) => {
    const other: Json = demoServer({ ...OPTIONS, ...options });
    expect(other).not.toEqual(SERVER);
    expect(whatRoutes(other)).toEqual(whatRoutes(SERVER));
  });

  it('is another for each value, headers and their hashes among them, but texts and languages', () => {
    const known = JSON.stringify(whatRoutes(SERVER));
    const looked = leaves(SERVER).filter((path) => !isLanguage(path));
    const missed = looked.filter((path) => {
      const other = changed(SERVER, path, another);
      return JSON.stringify(whatRoutes(other)) === known;
    });
    expect(missed).toEqual(looked.filter(isText));
    expect(missed.length).toBeGreaterThan(10);
  });

  it('is another where a page runs another script: the hash of each is in its headers', () => {
    const handlers = leaves(SERVER)
      .filter(isText)
      .map((path) =>
        path.slice(0, -1).reduce<Json>((value, name) => (value as Record<string, Json>)[name] ?? null, SERVER),
      );
    const scripts = (handlers as unknown as readonly { body: string; headers: Record<string, string[]> }[]).flatMap(
      ({ body, headers }) =>
        [...body.replaceAll(/\\([{}])/g, '$1').matchAll(/<script[^>]*>(.*?)<\/script>/gs)].map(([, script = '']) => ({
          hash: `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
          policy: headers['Content-Security-Policy']?.join() ?? '',
        })),
    );
    expect(scripts.length).toBeGreaterThan(4);
    for (const { hash, policy } of scripts) expect(policy).toContain(hash);
  });

  it.each([
    ['fills in', (body: string) => body.replace('</body>', '{http.request.header.Cookie}</body>')],
    ['fills in as an attribute', (body: string) => body.replace('<p>', '<p id="{http.request.uri}">')],
    ['links to', (body: string) => body.replace('/again/', '/elsewhere/')],
    ['goes on to', (body: string) => body.replace('content="3"', 'content="3;url=https://evil.example.test"')],
    ['tells programs', (body: string) => body.replace('instance_unreachable', 'instance_gone')],
  ])('is another where a page %s something else', (_, change) => {
    const other = ofPages(change);
    expect(other).not.toEqual(SERVER);
    expect(whatRoutes(other)).not.toEqual(whatRoutes(SERVER));
  });

  it.each([
    ['another logo', '/assets/logo.0123456789ab.svg'],
    ['no logo', undefined],
  ])('is another with %s: the start page serves no other than it has now', (_, path) => {
    const withLogo = (to: string | undefined): Json => {
      const logo = to === undefined ? {} : { logo: { ...LOGO, path: to } };
      return demoServer({ ...OPTIONS, branding: { ...NO_BRANDING, ...logo } });
    };
    expect(whatRoutes(withLogo(path))).not.toEqual(whatRoutes(withLogo(LOGO.path)));
  });

  it('is another where a language is answered by something else', () => {
    const text = JSON.stringify(SERVER);
    const handler = '"handler":"static_response","status_code":404,"headers":{"Content-Type":["text/html';
    const at = text.lastIndexOf(handler);
    const other = JSON.parse(`${text.slice(0, at)}"handler":"file_server",${text.slice(at + 28)}`) as Json;
    expect(whatRoutes(other)).not.toEqual(whatRoutes(SERVER));
  });
});
