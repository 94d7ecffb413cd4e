import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CarryingNode, carryingNode, tiny } from '../../test/support/carrying-node.ts';
import { RepositoryInFolder, asPodmanExports } from '../../test/support/checkpoint-files.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { sharedFolder } from '../checkpoints/shared-folder.ts';
import { settingsVersion, templateVersion, type SeccompFilter, type Template } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';

let releasers: Releasers;
let store: TestStore;
let shared: string;
/** By so much the clock of nodes is. */
let aheadMs: number;

const at = (name: string, app: Template): Promise<CarryingNode> =>
  carryingNode(name, { releasers, store, share: sharedFolder(shared), app, now: () => Date.now() + aheadMs });

/** As a program has it whose filter is this one. */
const withFilter = (filter: Partial<SeccompFilter>): Template => ({
  ...tiny,
  seccomp: { name: 'default', profile: '{}', earlier: [], ...filter },
});
const first = withFilter({ profile: '{"first":1}' });
const second = withFilter({ profile: '{"second":2}' });
const third = withFilter({ profile: '{"third":3}' });

/** Made and promoted there, by a program before checkpoints said what operators had decided. */
async function promoted(node: CarryingNode): Promise<string> {
  const about = { template: tiny.name, templateVersion: templateVersion(node.catalogue.default) };
  const { id } = await node.files.added(about, asPodmanExports());
  await store.promotions.promote(tiny.name, id);
  return id;
}

const warnings = ({ log }: CarryingNode): unknown[] =>
  log.lines.flatMap(({ level, fields }) => (level === 'warn' ? [fields] : []));

beforeEach(async () => {
  aheadMs = 0;
  releasers = new Releasers();
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  const share = await RepositoryInFolder.make();
  releasers.push('share', () => share[Symbol.asyncDispose]());
  shared = share.home;
});
afterEach(async () => {
  await releasers.releaseAll(silent);
});

describe('a promoted checkpoint of another version of the program', () => {
  it('has the node make one of its own, by each upgrade, and serves again after the way back', async () => {
    const node = await at('node0', first);
    const id = await promoted(node);
    await node.round();
    const own: string[] = [];
    for (const app of [second, third]) {
      node.catalogue.replace([app]);
      await node.round();
      const made = node.arrival?.detail ?? '';
      expect(node.arrival).toEqual({ checkpoint: id, state: 'own', detail: made });
      expect(await node.files.checkpointRepository.metadata(made)).toMatchObject({
        templateVersion: templateVersion(app),
        settingsVersion: settingsVersion(first),
        standsFor: id,
      });
      expect(await node.restores(node.restorer(), id)).toBe(made);
      own.push(made);
    }
    expect((await node.has()).sort()).toEqual([id, own[1]].sort());

    node.catalogue.replace([first]);
    await node.round();
    expect(node.arrival).toEqual({ checkpoint: id, state: 'here', detail: '' });
    expect(await node.restores(node.restorer(), id)).toBe(id);
    node.catalogue.replace([third]);
    await node.round();
    expect(node.arrival).toEqual({ checkpoint: id, state: 'own', detail: own[1] });
    expect(await node.carried()).toEqual(['made success 2']);
    expect(warnings(node)).toEqual([]);
  });

  it('has each node of a mixed fleet make one for its own program, also for an older one', async () => {
    const [upgraded, other] = [await at('node0', second), await at('node1', first)];
    const id = await promoted(upgraded);
    for (const node of [upgraded, other, upgraded, other]) await node.round();
    expect(upgraded.arrival).toEqual({ checkpoint: id, state: 'here', detail: '' });
    expect(other.arrival?.state).toBe('own');
    expect(await other.restores(other.restorer(), id)).toBe(other.arrival?.detail);
    expect(await upgraded.restores(upgraded.restorer(), id)).toBe(id);
    expect(await other.has()).toEqual([other.arrival?.detail]);
  });

  it('is told by profiles that the program had before, where it does not say what operators decided', async () => {
    const [old, node] = [await at('node1', first), await at('node0', tiny)];
    const id = await promoted(old);
    const { archive, metadata } = (await old.files.checkpointRepository.list())[0] ?? {};
    if (archive === undefined || metadata === undefined) throw new Error('it was added just now');
    await node.files.checkpointRepository.import(archive);
    node.catalogue.replace([second]);
    for (let time = 0; time < 2; time += 1) await node.round();
    expect(node.arrival?.state).toBe('refused');
    expect(await node.has()).toEqual([id]);
    expect(warnings(node)).toEqual([
      expect.objectContaining({
        reason: expect.stringMatching(/^it was made for version of the template \w+ \(here \w+\)$/) as string,
        remedy: 'try-it-now checkpoint create tiny --promote',
      }),
    ]);

    node.catalogue.replace([withFilter({ earlier: ['{"other":0}', first.seccomp.profile] })]);
    await node.round();
    expect(node.arrival?.state).toBe('own');
    expect(await node.restores(node.restorer(), id)).toBe(node.arrival?.detail);
    // Once it is known it stays known, also when the program has forgotten the profile.
    node.catalogue.replace([third]);
    await node.round();
    expect(node.arrival?.state).toBe('own');
  });

  it('has one of its own that is made once, also where an older one says that it is newer', async () => {
    const node = await at('node0', first);
    const id = await promoted(node);
    await node.round();
    aheadMs = 3_600_000;
    node.catalogue.replace([second]);
    await node.round();
    aheadMs = 0;
    node.catalogue.replace([third]);
    for (let round = 0; round < 3; round += 1) await node.round();
    const made = node.arrival?.detail ?? '';
    expect(await node.carried()).toEqual(['made success 2']);
    expect((await node.has()).sort()).toEqual([id, made].sort());
    expect(await node.restores(node.restorer(), id)).toBe(made);
  });

  it.each([
    ['the template', { ...second, env: { MODE: 'other' } }],
    ['the filter', withFilter({ name: 'strict', profile: '{"second":2}' })],
    ['a filter of their own', { ...tiny, seccomp: { name: '/etc/app.json', profile: '{"second":2}' } }],
  ])('is refused where operators have changed %s as well', async (_, app) => {
    const node = await at('node0', first);
    const id = await promoted(node);
    await node.round();
    node.catalogue.replace([app]);
    await node.round();
    expect(node.arrival).toMatchObject({ checkpoint: id, state: 'refused' });
    expect(await node.has()).toEqual([id]);
    expect(await node.restores(node.restorer(), id)).toBeUndefined();
  });
});
