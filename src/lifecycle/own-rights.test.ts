import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { missingIn, missingToStart } from './own-rights.ts';

it('tells which rights a process lacks', () => {
  expect(missingIn('Name:\tnode\nCapEff:\t000001ffffffffff\nSeccomp:\t0\n')).toEqual([]);
  // What the units of an earlier version left: NET_*, SYS_ADMIN and SYS_PTRACE.
  expect(missingIn('CapPrm:\t000001ffffffffff\nCapEff:\t0000000000283400\n')).toEqual([
    'CAP_CHOWN',
    'CAP_DAC_READ_SEARCH',
    'CAP_KILL',
    'CAP_SYS_NICE',
  ]);
  expect(missingIn('CapEff:\t0000000000000000\n')).toHaveLength(8);
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('Skipped: rights that root lacks; others have none of them\n');
it.skipIf(!isRoot)('tells which of them the units leave no engine of the server itself', () => {
  expect(missingToStart('CapEff:\t0000000000a83425\n')).toEqual(['CAP_DAC_OVERRIDE', 'CAP_SETUID', 'CAP_MKNOD']);
  expect(missingToStart('CapEff:\t000001ffffffffff\n')).toEqual([]);
});

it.each(['try-it-now', 'try-it-now-worker'])('needs nothing that %s.service takes away', (unit) => {
  const text = readFileSync(new URL(`../../deploy/systemd/${unit}.service`, import.meta.url), 'utf8');
  const left = [...text.matchAll(/^CapabilityBoundingSet=(.+)$/gm)].flatMap(([, rights = '']) => rights.split(' '));
  expect(missingIn('CapEff:\t0\n').filter((right) => !left.includes(right))).toEqual([]);
});
