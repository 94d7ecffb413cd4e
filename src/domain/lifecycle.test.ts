import { expect, it } from 'vitest';
import { canMove, INSTANCE_STATES } from './lifecycle.ts';

it('knows exactly the edges of the diagram', () => {
  const edges = INSTANCE_STATES.flatMap((from) =>
    [...INSTANCE_STATES, 'gone' as const].filter((to) => canMove(from, to)).map((to) => `${from} → ${to}`),
  );
  expect(edges).toEqual([
    'warming → ready',
    'warming → releasing',
    'ready → assigned',
    'ready → releasing',
    'assigned → releasing',
    'releasing → quarantined',
    'releasing → gone',
    'quarantined → releasing',
  ]);
});
