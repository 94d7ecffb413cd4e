import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import type { ChildServer } from './child-server.ts';
import { answers, freePort, isFree } from './tcp-ports.ts';
import { supervise } from './supervise.ts';
import { launchValkey } from './valkey.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'try-it-now-supervise-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

it('starts a part again when it ends by itself, and lets it be when stopped', async () => {
  const port = await freePort();
  const started: ChildServer[] = [];
  const events: string[] = [];
  const supervised = await supervise(
    'Valkey',
    async () => {
      const launched = await launchValkey({ dir, port });
      started.push(launched.server);
      return launched;
    },
    { onLost: (name) => events.push(`${name} lost`), onRestored: (name) => events.push(`${name} restored`) },
  );
  try {
    started[0]?.signal('SIGKILL');
    await eventually(() => expect(events).toEqual(['Valkey lost', 'Valkey restored']));
    await eventually(async () => expect(await answers(port)).toBe(true));
  } finally {
    await supervised.stop();
  }
  expect(await isFree(port)).toBe(true);
  expect(started).toHaveLength(2);
});

it('does not take another server on the same port for its own', async () => {
  await using other = await launchValkey({ dir });
  const port = Number(other.address.split(':')[1]);
  await expect(launchValkey({ dir, port })).rejects.toMatchObject({ code: 'child_failed' });
});
