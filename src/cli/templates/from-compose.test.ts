import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { checkTemplates } from './check.ts';
import { fromComposeFile } from './from-compose.ts';

let folder: string;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tin-from-compose-'));
  said = [];
  for (const stream of ['log', 'warn', 'error'] as const)
    vi.spyOn(console, stream).mockImplementation((text: string) => void said.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(folder, { recursive: true });
});

function drafted(compose: string): string {
  writeFileSync(join(folder, 'compose.yaml'), compose);
  const output = join(folder, 'app.yaml');
  fromComposeFile({}, join(folder, 'compose.yaml'), { output });
  return output;
}

it('writes what `templates check` takes, of the commonest shape there is', () => {
  writeFileSync(join(folder, 'site.conf'), 'server {}');
  const file = drafted(
    'services: { web: { image: nginx, ports: ["80:80"], volumes: ["./site.conf:/etc/nginx/conf.d/site.conf:ro"] }, ' +
      'app: { image: acme/php-fpm, cap_add: [SYS_ADMIN] } }',
  );
  expect(readFileSync(file, 'utf8')).toMatch(/# app-2: Left out, .*SYS_ADMIN[^]*name: app-2/);
  checkTemplates({}, file);
  expect(said.at(-1)).toBe(`${file}: 1 template: web`);
  expect(process.exitCode).toBeUndefined();
});

it('says what is wrong with what it writes, and ends with 1', () => {
  const file = drafted('services: { web: { image: "${IMAGE}", ports: ["80:80"] } }');
  expect(said).toContainEqual(expect.stringMatching(/^Note: image is ""; it must be an image name/));
  expect(process.exitCode).toBe(1);
  checkTemplates({}, file);
  expect(said.at(-1)).toBe(`${file}: 1 problem`);
});
