import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const SHIPPED = fileURLToPath(new URL('../../deploy/caddy/Caddyfile.balanced', import.meta.url));

/** The part of the shipped file that spreads requests, with these servers; without its names and certificates. */
export async function shippedBalancer(port: number, servers: readonly string[]): Promise<string> {
  const [, shipped] =
    /reverse_proxy 10\.0\.0\.11:8080 10\.0\.0\.12:8080 (\{[^}]*\})/.exec(await readFile(SHIPPED, 'utf8')) ?? [];
  if (shipped === undefined) throw new Error(`${SHIPPED} does not spread requests over two servers any more`);
  return `{\n\tadmin off\n}\nhttp://:${port} {\n\treverse_proxy ${servers.join(' ')} ${shipped}\n}\n`;
}
