import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const SHIPPED = fileURLToPath(new URL('../../deploy/caddy/Caddyfile.balanced', import.meta.url));

/** The shipped file's site of the API, with these servers; without its name and certificate. */
export async function shippedBalancer(port: number, servers: readonly string[]): Promise<string> {
  const text = await readFile(SHIPPED, 'utf8');
  const [, site] = /^try\.example\.org (\{\n[^]*?\n\})\n/m.exec(text) ?? [];
  const own = site
    ?.replace(/^\ttls .*\n/m, '')
    .replace(/^\trespond .*\n/gm, '')
    .replace('reverse_proxy 10.0.0.11:8080 10.0.0.12:8080', `reverse_proxy ${servers.join(' ')}`);
  if (own?.includes(`reverse_proxy ${servers.join(' ')} {`) !== true)
    throw new Error(`${SHIPPED} does not spread requests over two servers any more`);
  return `{\n\tadmin off\n}\nhttp://:${port} ${own}\n`;
}
