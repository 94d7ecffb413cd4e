import { afterEach, beforeEach, expect, it } from 'vitest';
import { RepositoryInFolder, asPodmanExports } from '../../test/support/checkpoint-files.ts';
import { SimulatedCheckpointing } from '../../test/support/simulated-checkpointing.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { settingsVersion, templateVersion, type Template } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { Checkpointing } from '../pool/interfaces/checkpointing.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { NotChecked, Shared, runChecks } from './check.ts';
import { checkpointChecks } from './checkpoints.ts';

const tiny = template();
const newer: Template = { ...tiny, seccomp: { ...tiny.seccomp, profile: '{"another":1}' } };
const asked = { ...newer, env: { MODE: 'other' } };

let releasers: Releasers;
let store: TestStore;
let here: RepositoryInFolder;

beforeEach(async () => {
  releasers = new Releasers();
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  here = await RepositoryInFolder.make();
  releasers.push('files', () => here[Symbol.asyncDispose]());
});
afterEach(() => releasers.releaseAll(silent));

const notAsked = new Shared<Checkpointing>(() => Promise.reject(new NotChecked('not asked here')), '');

async function seen(app: Template, checkpointing = notAsked): Promise<string> {
  const checks = checkpointChecks({
    ...{ mode: 'auto', dir: here.dir, templates: [app], share: undefined, underWay: () => undefined },
    checkpointing,
    checkpointRepository: here.checkpointRepository,
    promotions: new Shared(() => Promise.resolve(store.promotions), ''),
    offers: new Shared(() => Promise.resolve(store.checkpointOffers), ''),
  });
  const found = (await runChecks(checks)).find(({ what }) => what === 'checkpoint of tiny');
  return `${found?.verdict}: ${found?.seen} ${found?.remedy ?? ''}`;
}

it('says whether a checkpoint of another version waits for the node, or for an operator', async () => {
  const settings = { settingsVersion: settingsVersion(tiny) };
  const made = await here.added({ templateVersion: templateVersion(tiny), ...settings });
  await store.promotions.promote('tiny', made.id);
  expect(await seen(tiny)).toMatch(/^ok: \w+ is promoted /);
  expect(await seen(newer)).toMatch(
    /^warning: \w+ was made by another version of the program; .* It makes one by itself/,
  );
  expect(await seen(asked)).toMatch(/^warning: \w+ is of another version of the template; .* Make another: /);

  const about = { ...settings, templateVersion: templateVersion(newer), standsFor: made.id };
  const own = await here.added(about, asPodmanExports(Buffer.from('own')));
  expect(await seen(newer)).toContain(`ok: ${made.id} does not work here; ${own.id}, made on this node`);
  // Nothing is restored from what stands for it in another version.
  expect(await seen(tiny)).toMatch(/^ok: \w+ is promoted /);
  expect(await seen(asked)).toMatch(/^warning: \w+ is of another version of the template; /);
});

it('waits for the node where its kernel is another one too, and for an operator where the image is', async () => {
  const about = { templateVersion: templateVersion(tiny), settingsVersion: settingsVersion(tiny) };
  const { id } = await here.added(about);
  await store.promotions.promote('tiny', id);
  const engine = new SimulatedRuntime();
  releasers.push('engine', () => engine.close());
  const checkpointing = new SimulatedCheckpointing(engine);
  const onThisHost = (app: Template): Promise<string> =>
    seen(app, new Shared(() => Promise.resolve(checkpointing), ''));
  expect(await onThisHost(tiny)).toMatch(/^ok: /);
  expect(await onThisHost(newer)).toContain('It makes one by itself');
  checkpointing.kernel = '6.19.0';
  for (const app of [tiny, newer]) expect(await onThisHost(app)).toMatch(/^warning: .*It makes one by itself/);
  checkpointing.imageId = 'sha256:2f';
  expect(await onThisHost(newer)).toMatch(
    /^failure: \w+ was made of another image than .* Make another on this host: /,
  );
});

it('says why the host cannot be compared, whatever program made it', async () => {
  const { id } = await here.added({ templateVersion: templateVersion(tiny), settingsVersion: settingsVersion(tiny) });
  await store.promotions.promote('tiny', id);
  const engine = new SimulatedRuntime();
  releasers.push('engine', () => engine.close());
  const checkpointing = new SimulatedCheckpointing(engine);
  checkpointing.host = () => Promise.reject(new Error('the engine is gone'));
  const shared = new Shared(() => Promise.resolve(checkpointing), '');
  for (const app of [tiny, newer]) expect(await seen(app, shared)).toMatch(/^failure: .*the engine is gone/);
});

it('says so of one that does not tell what operators had decided', async () => {
  const { id } = await here.added({ templateVersion: 'long ago' });
  await store.promotions.promote('tiny', id);
  expect(await seen(tiny)).toMatch(/too old to say whether you or an upgrade made the difference; .* Make another: /);
});
