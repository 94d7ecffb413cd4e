import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Every file of the folder by its name, with its type, its tag and its compressed form; a few dozen KiB in all. */
export async function loadAssets(folder) {
  const assets = new Map();
  for (const name of await readdir(folder)) {
    const type = types[name.slice(name.lastIndexOf('.'))];
    if (type === undefined) continue;
    const body = await readFile(new URL(name, folder));
    const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`;
    assets.set(name, { type, body, tag, gzipped: gzipSync(body, { level: 9 }) });
  }
  return assets;
}
