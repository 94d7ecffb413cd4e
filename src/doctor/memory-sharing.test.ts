import { expect, it } from 'vitest';
import { memorySharingChecks } from './memory-sharing.ts';

const merging = { read: () => Promise.resolve({ rounds: 3, savedBytes: 5 * 2 ** 20, processorMs: 100 }) };
const templates = [
  { name: 'a', memory: 'share' },
  { name: 'b', memory: 'private' },
] as const;

async function seen(engine: Parameters<typeof memorySharingChecks>[0]['engine']) {
  const [check] = memorySharingChecks({ templates, merging, engine });
  return (await check?.run())?.[0];
}

it('says nothing where no template asks for it', () => {
  const engine = { title: 'Docker' };
  expect(memorySharingChecks({ templates: [{ name: 'b', memory: 'private' }], merging, engine })).toEqual([]);
});

it('says what is saved', async () => {
  const engine = { title: 'Podman', whyNotShared: () => Promise.resolve(undefined) };
  expect(await seen(engine)).toMatchObject({ verdict: 'ok', seen: 'a: saves 5 MiB now' });
});

it.each([
  [{ title: 'Docker' }, 'Docker starts all containers alike'],
  [{ title: 'Podman', whyNotShared: () => Promise.resolve('the kernel is older than 6.4') }, 'older than 6.4'],
])('warns where it cannot be had', async (engine, why) => {
  const found = await seen(engine);
  expect(found).toMatchObject({ verdict: 'warning' });
  expect(found?.seen).toContain(why);
  expect(found?.seen).toContain('instances of a take as much memory as others');
});
