import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { colorProperties, logoPath, type Branding, type Logo } from '../presentation/branding.ts';

const TYPES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'visit.css': 'text/css; charset=utf-8',
  'visit.js': 'text/javascript; charset=utf-8',
  'embed-page.css': 'text/css; charset=utf-8',
  'embed-page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
type AssetName = keyof typeof TYPES;

/** The address of each asset. It has a hash of the content, so a browser may keep it for good. */
export type AssetUrls = Readonly<Record<AssetName, string>>;

export interface Assets {
  readonly urls: AssetUrls;
  readonly bodies: Readonly<Record<AssetName, Buffer>>;
  readonly logo: Logo | undefined;
}

export async function loadAssets({ logo, colors }: Branding): Promise<Assets> {
  const names = Object.keys(TYPES) as AssetName[];
  const loaded = await Promise.all(
    names.map(async (name) => {
      const body = await readFile(new URL(`./assets/${name}`, import.meta.url));
      return [name, name === 'page.css' ? Buffer.concat([Buffer.from(colorProperties(colors)), body]) : body] as const;
    }),
  );
  const urls = loaded.map(
    ([name, body]) =>
      [
        name,
        `/assets/${name.replace('.', `.${createHash('sha256').update(body).digest('hex').slice(0, 12)}.`)}`,
      ] as const,
  );
  return {
    urls: Object.fromEntries(urls) as AssetUrls,
    bodies: Object.fromEntries(loaded) as Record<AssetName, Buffer>,
    logo,
  };
}

export function assetRoutes(app: FastifyInstance, { urls, bodies, logo }: Assets): void {
  for (const name of Object.keys(TYPES) as AssetName[]) {
    // Untimed: a metric's label must not change with every release.
    app.get(urls[name], { config: { untimed: true } }, (_request, reply) =>
      reply.type(TYPES[name]).header('cache-control', 'public, max-age=31536000, immutable').send(bodies[name]),
    );
  }
  if (logo !== undefined)
    app.get(logoPath(logo), { config: { untimed: true } }, (_request, reply) =>
      reply
        .type(logo.type)
        .header('cache-control', 'public, max-age=31536000, immutable')
        // Opened by itself, an SVG could bring a script along.
        .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
        .send(Buffer.from(logo.body, 'base64')),
    );
  // Browsers ask here on their own, also on pages that are not HTML.
  app.get('/favicon.ico', (_request, reply) =>
    reply.type(TYPES['icon.svg']).header('cache-control', 'public, max-age=86400').send(bodies['icon.svg']),
  );
}
