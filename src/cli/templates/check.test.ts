import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { checkTemplates } from './check.ts';

let folder: string;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tin-check-'));
  said = [];
  for (const stream of ['log', 'warn', 'error'] as const)
    vi.spyOn(console, stream).mockImplementation((text: string) => void said.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(folder, { recursive: true });
});

it('says what would keep a server from starting: questions whose answers no webhook takes', () => {
  const file = join(folder, 'templates.yaml');
  writeFileSync(
    file,
    'templates: [{ name: shop, image: app, port: 80, lead: { ask: during, fields: [email], ' +
      'text: You may write to me., privacy_url: https://example.org/privacy } }]\n',
  );
  checkTemplates({}, file);
  expect(said).toEqual([
    expect.stringMatching(/shop .*no webhook takes the event lead_given.*WEBHOOKS_FILE/),
    `${file}: 1 problem`,
  ]);
  expect(process.exitCode).toBe(78);

  process.exitCode = undefined;
  said.length = 0;
  const webhooks = join(folder, 'webhooks.yaml');
  writeFileSync(
    webhooks,
    'webhooks: [{ name: crm, url: https://crm.example/, events: [lead_given], secret: { env: CRM_SECRET } }]\n',
  );
  checkTemplates({ WEBHOOKS_FILE: webhooks, CRM_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}` }, file);
  expect(said).toEqual([`${file}: 1 template: shop`]);
  expect(process.exitCode).toBeUndefined();
});
