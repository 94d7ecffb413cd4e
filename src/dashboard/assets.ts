import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { App } from '../http/context.ts';

const TYPES = {
  'dashboard.css': 'text/css; charset=utf-8',
  'dashboard.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
type AssetName = keyof typeof TYPES;

/** The address of each asset. It has a hash of the content, so a browser may keep it for good. */
export type AssetUrls = Readonly<Record<AssetName, string>>;

export interface Assets {
  readonly urls: AssetUrls;
  register(app: App): void;
}

/** What the pages are painted with: files of our own, for the content security policy allows nothing inline. */
export async function loadAssets(): Promise<Assets> {
  const files = await Promise.all(
    (Object.keys(TYPES) as AssetName[]).map(async (name) => {
      const body = await readFile(new URL(`./assets/${name}`, import.meta.url));
      const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
      return { name, body, path: `/assets/${name.replace('.', `.${hash}.`)}` };
    }),
  );
  return {
    urls: Object.fromEntries(files.map(({ name, path }) => [name, path])) as AssetUrls,
    register: (app) => {
      for (const { name, body, path } of files)
        app.get(path, { config: { anyone: true, untimed: true } }, (_request, reply) =>
          reply.type(TYPES[name]).header('cache-control', 'private, max-age=31536000, immutable').send(body),
        );
    },
  };
}
