import { describe, expect, it } from 'vitest';
import type { TemplateChange } from '../domain/template-change.ts';
import { changedDraft, describeChange } from './changed-draft.ts';
import { memoryLimitFor } from './memory.ts';
import type { TemplateDraft } from './template-yaml.ts';

const DRAFT = { name: 'a', image: 'a', port: 80, limits: { memory: '1GiB' } };

describe('a draft that is changed', () => {
  it.each<[TemplateChange, TemplateDraft, string]>([
    [
      { kind: 'capabilities', add: ['SETUID', 'CHOWN'] },
      { ...DRAFT, capabilities: ['CHOWN', 'SETUID'] },
      'capabilities: [CHOWN, SETUID]',
    ],
    [{ kind: 'port', port: 81 }, { ...DRAFT, port: 81 }, 'port: 81'],
    [{ kind: 'more_memory' }, { ...DRAFT, limits: { memory: '2048MiB' } }, 'limits.memory: 2048MiB'],
    [{ kind: 'more_pids' }, { ...DRAFT, limits: { memory: '1GiB', pids: 256 } }, 'limits.pids: 256'],
    [
      { kind: 'ready_status', status: 401 },
      { ...DRAFT, readiness: { http: { status: ['200-399', 401] } } },
      'readiness.http.status: [200-399, 401]',
    ],
  ])('by %j says so', (change, changed, words) => {
    expect(changedDraft(DRAFT, change)).toEqual(changed);
    expect(describeChange(change, changed)).toBe(words);
  });

  it('keeps what it had, and is none where nothing changes', () => {
    const draft = { ...DRAFT, capabilities: ['KILL'], readiness: { http: { path: '/x' } } };
    expect(changedDraft(draft, { kind: 'capabilities', add: ['CHOWN'] })).toMatchObject({
      capabilities: ['CHOWN', 'KILL'],
    });
    const login = changedDraft(draft, { kind: 'ready_status', status: 401 }) ?? {};
    expect(login).toMatchObject({ readiness: { http: { path: '/x', status: ['200-399', 401] } } });
    expect(changedDraft(login, { kind: 'ready_status', status: 401 })).toBeUndefined();
    expect(changedDraft(draft, { kind: 'capabilities', add: ['KILL'] })).toBeUndefined();
    expect(changedDraft(draft, { kind: 'port', port: 80 })).toBeUndefined();
    expect(changedDraft({ limits: { memory: '8GiB' } }, { kind: 'more_memory' })).toBeUndefined();
  });

  it('has a memory limit in steps, with room for a visitor', () => {
    expect([0, 40, 64, 100].map((mib) => memoryLimitFor(mib * 2 ** 20))).toEqual([
      '128MiB',
      '128MiB',
      '128MiB',
      '224MiB',
    ]);
  });
});
