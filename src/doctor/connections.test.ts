import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { template } from '../../test/support/templates.ts';
import { EGRESS } from '../domain/egress.ts';
import { connectionsCheck } from './connections.ts';

function kernel(max: number | undefined, count = 0): string {
  const folder = mkdtempSync(join(tmpdir(), 'try-it-now-connections-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const table = join(folder, 'net', 'netfilter');
  mkdirSync(table, { recursive: true });
  if (max !== undefined) writeFileSync(join(table, 'nf_conntrack_max'), `${max}\n`);
  if (max !== undefined) writeFileSync(join(table, 'nf_conntrack_count'), `${count}\n`);
  return folder;
}

const pool = (max: number) => ({ pool: { target: 1, max, replenishThreshold: 0 } });

it('says how full the table of connections is', async () => {
  const none = [template(pool(1_000))];
  expect(await connectionsCheck(none, kernel(undefined)).run()).toMatchObject([{ verdict: 'ok' }]);
  expect(await connectionsCheck(none, kernel(10_000, 8_000)).run()).toMatchObject([
    { verdict: 'ok', seen: "8000 of the 10000 that the kernel's table holds" },
  ]);
  expect(await connectionsCheck(none, kernel(10_000, 8_001)).run()).toMatchObject([
    {
      verdict: 'warning',
      seen: expect.stringMatching(/^8001 of the 10000 /) as string,
      remedy: expect.stringContaining('nf_conntrack_max=20000') as string,
    },
  ]);
});

it('warns where instances with egress could fill it together', async () => {
  const templates = [template(pool(1_000)), template({ ...pool(100), egress: EGRESS })];
  expect(await connectionsCheck(templates, kernel(262_144)).run()).toMatchObject([{ verdict: 'ok' }]);
  expect(await connectionsCheck(templates, kernel(131_072)).run()).toMatchObject([
    {
      verdict: 'warning',
      seen: expect.stringMatching(/may hold 100 instances, which could open 155600 together/) as string,
      remedy: expect.stringContaining('nf_conntrack_max=262144') as string,
    },
  ]);
});
