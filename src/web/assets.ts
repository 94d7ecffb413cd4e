import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import { colorProperties, type Brand, type Branding, type Logo } from '../presentation/branding.ts';

const TYPES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'visit.css': 'text/css; charset=utf-8',
  'visit.js': 'text/javascript; charset=utf-8',
  'gate.js': 'text/javascript; charset=utf-8',
  'embed-page.css': 'text/css; charset=utf-8',
  'embed-page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
type AssetName = keyof typeof TYPES;

/** The address of each asset. It has a hash of the content, so a browser may keep it for good. */
export type AssetUrls = Readonly<Record<AssetName, string>>;

interface Served {
  readonly type: string;
  readonly body: Buffer;
  readonly policy?: string;
  /** Pages of other sites may load it as a module: nothing of a visitor's is in it. */
  readonly shared?: true;
}

/** Opened by itself, an SVG could bring a script along. */
const IMAGE_ONLY = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/** What pages are painted with: the same for all but the colours, which each brand has its own sheet for. */
export class Assets {
  /** By address. */
  readonly served: ReadonlyMap<string, Served>;
  readonly icon: Buffer;
  readonly #shared: AssetUrls;
  readonly #sheets: ReadonlyMap<Brand['colors'], string>;

  constructor(files: Readonly<Record<AssetName, Buffer>>, branding: Branding) {
    const served = new Map<string, Served>();
    const serve = (name: AssetName, body: Buffer): string => {
      const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
      const path = `/assets/${name.replace('.', `.${hash}.`)}`;
      served.set(path, { type: TYPES[name], body, ...(name === 'gate.js' ? { shared: true } : {}) });
      return path;
    };
    const brands = [branding, ...Object.values(branding.templates)];
    const sheet = ({ colors }: Brand): string =>
      serve('page.css', Buffer.concat([Buffer.from(colorProperties(colors)), files['page.css']]));
    this.#sheets = new Map(brands.map((brand) => [brand.colors, sheet(brand)]));
    for (const { logo } of brands) if (logo !== undefined) served.set(logo.path, picture(logo));
    const names = Object.keys(TYPES) as AssetName[];
    this.#shared = Object.fromEntries(
      names.map((name) => [name, name === 'page.css' ? sheet(branding) : serve(name, files[name])]),
    ) as AssetUrls;
    this.served = served;
    this.icon = files['icon.svg'];
  }

  /** What this version has for the address that another one gave the asset; undefined for what is none. */
  ofAnyVersion(file: string): Served | undefined {
    const name = file.replace(/\.[0-9a-f]{12}\./, '.');
    return Object.hasOwn(this.#shared, name) ? this.served.get(this.#shared[name as AssetName]) : undefined;
  }

  urlsFor({ colors }: Brand): AssetUrls {
    return { ...this.#shared, 'page.css': this.#sheets.get(colors) ?? this.#shared['page.css'] };
  }
}

function picture({ type, body }: Logo): Served {
  return { type, body: Buffer.from(body, 'base64'), policy: IMAGE_ONLY };
}

export async function loadAssets(branding: Branding): Promise<Assets> {
  const names = Object.keys(TYPES) as AssetName[];
  const files = await Promise.all(
    names.map(async (name) => [name, await readFile(new URL(`./assets/${name}`, import.meta.url))] as const),
  );
  return new Assets(Object.fromEntries(files) as Record<AssetName, Buffer>, branding);
}

export function assetRoutes(app: FastifyInstance, assets: Assets): void {
  const send = (reply: FastifyReply, { type, body, policy, shared }: Served, keep: string): FastifyReply => {
    if (policy !== undefined) reply.header('content-security-policy', policy);
    if (shared === true)
      reply.header('access-control-allow-origin', '*').header('cross-origin-resource-policy', 'cross-origin');
    return reply.type(type).header('cache-control', keep).send(body);
  };
  for (const [path, asset] of assets.served) {
    // Untimed: a metric's label must not change with every release.
    app.get(path, { config: { untimed: true } }, (_request, reply) =>
      send(reply, asset, 'public, max-age=31536000, immutable'),
    );
  }
  // While servers of two versions run behind one address, a page of one asks the other for what it names.
  app.get<{ Params: { file: string } }>('/assets/:file', { config: { untimed: true } }, (request, reply) => {
    const own = assets.ofAnyVersion(request.params.file);
    if (own === undefined) throw new TryItNowError('unknown_route', 'There is nothing at this address');
    return send(reply, own, 'no-store');
  });
  // Browsers ask here on their own, also on pages that are not HTML.
  app.get('/favicon.ico', (_request, reply) =>
    reply.type(TYPES['icon.svg']).header('cache-control', 'public, max-age=86400').send(assets.icon),
  );
}
