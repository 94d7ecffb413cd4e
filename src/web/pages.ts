import type { Pages } from '../http/pages.ts';
import { loadAssets } from './assets.ts';
import { sendFailurePage, wantsPage } from './page-response.ts';
import { startPage, type StartPageOptions } from './start-page.ts';

/** The start page, and a page for what goes wrong on the way to an instance. */
export async function loadPages(options: Pick<StartPageOptions, 'clock' | 'waitLimitMs'> = {}): Promise<Pages> {
  const assets = await loadAssets();
  return {
    failurePage: (request, reply, error) =>
      wantsPage(request) ? sendFailurePage(reply, error, assets.urls) : undefined,
    register: async (app, context) => {
      await app.register(startPage, { ...context, assets, ...options });
    },
  };
}
