import type { Pages } from '../http/pages.ts';
import { NO_BRANDING, type Branding } from '../presentation/branding.ts';
import { Languages } from '../presentation/languages/languages.ts';
import { loadAssets } from './assets.ts';
import { sendFailurePage, wantsPage } from './page-response.ts';
import { Presentations } from './presentation.ts';
import { startPage, type StartPageOptions } from './start-page.ts';

/** The start page, and a page for what goes wrong on the way to an instance. */
export async function loadPages(
  options: Pick<StartPageOptions, 'clock' | 'waitLimitMs' | 'connectUrl'> & {
    readonly languages?: Languages;
    readonly branding?: Branding;
  } = {},
): Promise<Pages> {
  const { languages = new Languages(), branding = NO_BRANDING, ...rest } = options;
  const assets = await loadAssets(branding);
  const presentations = new Presentations(languages, branding, assets);
  return {
    failurePage: (request, reply, error) =>
      wantsPage(request) ? sendFailurePage(reply, error, presentations.for(request)) : undefined,
    register: async (app, context) => {
      await app.register(startPage, { ...context, assets, presentations, ...rest });
    },
  };
}
