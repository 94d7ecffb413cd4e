import { expect, it } from 'vitest';
import { caddyHoles, natsHoles } from './known-holes.ts';

it.each([
  ['2.9.10', 'go1.19.8', ['CVE-2025-30215', 'CVE-2023-39325', 'CVE-2023-45288']],
  ['2.9.10', undefined, ['CVE-2025-30215']],
  ['2.10.27', 'go1.21.9', []],
  ['2.10.27', 'go1.20.10', ['CVE-2023-45288']],
  ['2.10.26', 'go1.22.1', ['CVE-2025-30215', 'CVE-2023-45288']],
  ['2.11.0', 'go1.25', ['CVE-2025-30215']],
  ['2.12.6', 'go1.25.8 X:something', []],
])('knows those of NATS %s, built with %s', (version, go, ids) => {
  const { verdict, seen, remedy } = natsHoles(version, go);
  expect(seen.match(/CVE-\d+-\d+/g) ?? []).toEqual(ids);
  expect([verdict, remedy !== undefined]).toEqual(ids.length === 0 ? ['ok', false] : ['warning', true]);
});

it('knows those of a Caddy by what it was built with', () => {
  const { verdict, remedy } = caddyHoles('go1.19.8');
  expect([verdict, remedy]).toEqual(['warning', expect.stringContaining('own packages')]);
  expect(caddyHoles('go1.26.4').verdict).toBe('ok');
});
