import { describe, expect, it } from 'vitest';
import type { CatalogueProcess } from '../../http/admin/operators.ts';
import { jobsElsewhere } from './checkpoints.ts';
import { doctorElsewhere } from './doctor.ts';

const job = {
  action: 'checkpoint.create',
  on: '<shop>',
  who: 'key:1a152e74',
  startedAtMs: Date.now(),
  state: 'running',
  said: 'restoring',
} as const;
const other: CatalogueProcess = {
  role: 'server',
  host: 'ops2',
  pid: 7,
  node: 'node1',
  own: false,
  jobs: [job, { ...job, action: 'doctor.run', on: 'all', state: 'done', said: '1 failures' }],
  doctor: { atMs: Date.UTC(2026, 0, 2, 3, 4, 5), failures: 1 },
};
const IDLE: CatalogueProcess = { role: 'worker', host: 'ops3', pid: 8, node: 'node2', own: false };
const known = (processes: readonly CatalogueProcess[]) => ({ value: { revision: 'r', templates: [], processes } });

describe('what goes on in other servers', () => {
  it('is named with its host, its step and who began it', () => {
    const { text } = jobsElsewhere(known([other]), 'checkpoint.');
    expect(text).toContain('on ops2 (node1)');
    expect(text).toContain('&lt;shop&gt;');
    expect(text).toContain('restoring…');
    expect(text).not.toContain('doctor.run');
  });

  it('says how many failures doctor found there, and where to read them', () => {
    const { text } = doctorElsewhere(known([other]));
    expect(text).toContain('On ops2 it found 1 failure, as of 2026-01-02 03:04:05 UTC');
  });

  it.each([
    ['where it is this server', known([{ ...other, own: true }])],
    ['where nothing was begun', known([IDLE])],
    ['where nobody can say', { trouble: { code: 'store_unavailable', message: 'Valkey', remedy: 'Wait' } as const }],
  ])('is nothing %s', (_name, catalogue) => {
    expect([jobsElsewhere(catalogue, 'checkpoint.').text, doctorElsewhere(catalogue).text]).toEqual(['', '']);
  });
});
