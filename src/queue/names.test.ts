import { describe, expect, it } from 'vitest';
import { cleanupConsumer, cleanupSubject, deadSubject, livingSubject, subjectOf } from './names.ts';

describe('the names operators rely on', () => {
  it('addresses a cleanup to its node, the first one under the plain name', () => {
    expect([cleanupConsumer('node0'), cleanupConsumer('node-b')]).toEqual([
      'cleanup-workers',
      'cleanup-workers-node-b',
    ]);
    expect(cleanupSubject('node-b')).toBe('provisioning.cleanup.node-b');
    expect(subjectOf({ v: 1, kind: 'cleanup', id: 'x', node: 'node0' })).toBe('provisioning.cleanup.node0');
    expect(subjectOf({ v: 1, kind: 'provision', id: 'x', template: 'shop' })).toBe('provisioning.provision');
  });

  it.each(['a.b', 'a b', '*', '>', '', 'x'.repeat(64)])('refuses a node named %j, which is no token', (node) => {
    expect(() => cleanupSubject(node)).toThrow(/node name/);
  });

  it.each(['provisioning.provision', 'provisioning.cleanup.node0'])(
    'finds the way back from the dead: %s',
    (subject) => {
      expect(deadSubject(subject)).toMatch(/^provisioning\.dead\./);
      expect(livingSubject(deadSubject(subject))).toBe(subject);
    },
  );
});
