import { readFileSync } from 'node:fs';

/** From package.json, which is beside dist/ and src/ alike. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
