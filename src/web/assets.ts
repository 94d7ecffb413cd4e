import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';

const TYPES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'visit.css': 'text/css; charset=utf-8',
  'visit.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
type AssetName = keyof typeof TYPES;

/** The address of each asset. It has a hash of the content, so a browser may keep it for good. */
export type AssetUrls = Readonly<Record<AssetName, string>>;

export interface Assets {
  readonly urls: AssetUrls;
  readonly bodies: Readonly<Record<AssetName, Buffer>>;
}

export async function loadAssets(): Promise<Assets> {
  const names = Object.keys(TYPES) as AssetName[];
  const loaded = await Promise.all(
    names.map(async (name) => [name, await readFile(new URL(`./assets/${name}`, import.meta.url))] as const),
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
  };
}

export function assetRoutes(app: FastifyInstance, { urls, bodies }: Assets): void {
  for (const name of Object.keys(TYPES) as AssetName[]) {
    // Untimed: a metric's label must not change with every release.
    app.get(urls[name], { config: { untimed: true } }, (_request, reply) =>
      reply.type(TYPES[name]).header('cache-control', 'public, max-age=31536000, immutable').send(bodies[name]),
    );
  }
  // Browsers ask here on their own, also on pages that are not HTML.
  app.get('/favicon.ico', (_request, reply) =>
    reply.type(TYPES['icon.svg']).header('cache-control', 'public, max-age=86400').send(bodies['icon.svg']),
  );
}
