import { existsSync, readFileSync } from 'node:fs';

/** From package.json, which is beside dist/ and src/ alike, and which build of it this is: 1.2.0+0a1b2c3d. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  // Sources that run as they are, as in tests, were not built.
  const build = new URL('../build-id', import.meta.url);
  return existsSync(build) ? `${version}+${readFileSync(build, 'utf8')}` : version;
}
