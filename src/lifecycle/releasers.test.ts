import { expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { Releasers } from './releasers.ts';

it('releases backwards, all of it, whatever fails on the way, and once', async () => {
  const released: string[] = [];
  const log = new LogBook();
  const releasers = new Releasers();
  releasers.push('store', () => released.push('store'));
  releasers.push('queue', () => Promise.reject(new Error('stuck')));
  releasers.push('server', () => Promise.resolve(released.push('server')));
  await releasers.releaseAll(log);
  await releasers.releaseAll(log);
  expect(released).toEqual(['server', 'store']);
  expect(log.with('did not stop cleanly')).toHaveLength(1);
});
