import type { Template } from '../../domain/template.ts';
import type { AssetUrls } from '../assets.ts';
import { html } from '../html.ts';
import { page } from './layout.ts';

export interface HandOverParts {
  readonly assets: AssetUrls;
  readonly template: Template;
  readonly url: string;
}

/**
 * Goes on to the instance by itself. A redirect would not do: browsers hold a form's `form-action` against every
 * redirect that follows, the app's own too, so a click on an app that sends its visitors to a sign-in elsewhere would
 * end in nothing at all.
 */
export function handOverPage({ assets, template, url }: HandOverParts): string {
  return page({
    title: `Opening ${template.title} · Try It Now`,
    assets,
    head: html`<meta http-equiv="refresh" content="0; url=${url}">`,
    body: html`
<section class="panel">
<h1>Opening your ${template.title}</h1>
<p role="status">It is ready, and you go in by yourself.</p>
<p><a class="button primary" href="${url}">Open it</a></p>
</section>`,
  });
}
