import { rename } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { RepositoryInFolder } from '../../test/support/checkpoint-files.ts';
import { startStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { CHECKPOINT_OFFER_VERSION } from '../domain/checkpoint.ts';
import { Catalogue, settingsVersion, templateVersion, type Template } from '../domain/template.ts';
import { noteSettings } from './note-settings.ts';

const tiny = template();

it('is done once, of what is of the present version, and leaves alone what is being copied here', async () => {
  await using here = await RepositoryInFolder.make();
  await using store = await startStore();
  const { checkpointRepository } = here;
  const { checkpointOffers: offers } = store;
  const metadata = await here.added({ templateVersion: templateVersion(tiny) });
  await offers.offer({ v: CHECKPOINT_OFFER_VERSION, node: 'node1', metadata });
  const { id } = metadata;
  const noted = async (app: Template): Promise<readonly unknown[]> => {
    await noteSettings({ checkpointRepository, offers, catalogue: new Catalogue([app]) });
    const offer = (await offers.list()).get(id);
    return [(await checkpointRepository.metadata(id)).settingsVersion, offer?.metadata.settingsVersion];
  };
  const [archive, aside, settings] = [here.at('tiny', `${id}.tar`), here.at('tiny', 'aside'), settingsVersion(tiny)];
  expect(await noted({ ...tiny, port: 81 })).toEqual([undefined, undefined]);
  await rename(archive, aside);
  expect(await noted(tiny)).toEqual([undefined, settings]);
  await rename(aside, archive);
  expect(await noted(tiny)).toEqual([settings, settings]);
  expect(await noted({ ...tiny, port: 81 })).toEqual([settings, settings]);
});
