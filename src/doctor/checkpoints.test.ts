import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpointRepository } from '../checkpoints/repository.ts';
import { silent } from '../../test/support/store.ts';
import { NotChecked, Shared, runChecks, type Diagnosis } from './check.ts';
import { checkpointChecks } from './checkpoints.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tin-doctor-'));
});
afterEach(() => rm(home, { recursive: true }));

const unknown = <T>(): Shared<T> =>
  new Shared<T>(() => Promise.reject(new NotChecked('not asked here')), 'not asked here');

async function folderSeen(dir: string): Promise<Diagnosis | undefined> {
  const checks = checkpointChecks({
    ...{ mode: 'auto', dir, templates: [], share: undefined, underWay: () => undefined },
    checkpointing: unknown(),
    checkpointRepository: openCheckpointRepository({ dir, log: silent }),
    promotions: unknown(),
    offers: unknown(),
  });
  return (await runChecks(checks)).find(({ what }) => what === 'folder of checkpoints');
}

it('says what follows where the folder of checkpoints cannot be read', async () => {
  expect(await folderSeen(home)).toMatchObject({ verdict: 'ok' });
  expect(await folderSeen(join(home, 'not-yet'))).toMatchObject({ verdict: 'ok' });
  await writeFile(join(home, 'file'), '');
  const seen = await folderSeen(join(home, 'file'));
  expect(seen).toMatchObject({
    verdict: 'failure',
    seen: expect.stringContaining('start cold on this node') as string,
  });
});
