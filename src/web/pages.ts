import type { Pages } from '../http/pages.ts';
import { Languages } from '../presentation/languages/languages.ts';
import { loadAssets } from './assets.ts';
import { sendFailurePage, wantsPage } from './page-response.ts';
import { Presentations } from './presentation.ts';
import { startPage, type StartPageOptions } from './start-page.ts';

/** The start page, and a page for what goes wrong on the way to an instance. */
export async function loadPages(
  options: Pick<StartPageOptions, 'clock' | 'waitLimitMs'> & { readonly languages?: Languages } = {},
): Promise<Pages> {
  const { languages = new Languages(), ...rest } = options;
  const assets = await loadAssets();
  const presentations = new Presentations(languages, assets.urls);
  return {
    failurePage: (request, reply, error) =>
      wantsPage(request) ? sendFailurePage(reply, error, presentations.for(request)) : undefined,
    register: async (app, context) => {
      await app.register(startPage, { ...context, assets, presentations, ...rest });
    },
  };
}
