import type { Template } from '../../domain/template.ts';
import { html } from '../../presentation/html.ts';
import type { Presentation } from '../presentation.ts';
import { page } from './layout.ts';

export interface HandOverParts {
  readonly presentation: Presentation;
  readonly template: Template;
  readonly url: string;
}

/**
 * Goes on to the instance by itself. A redirect would not do: browsers hold a form's `form-action` against every
 * redirect that follows, the app's own too, so a click on an app that sends its visitors to a sign-in elsewhere would
 * end in nothing at all.
 */
export function handOverPage({ presentation, template, url }: HandOverParts): string {
  const { t } = presentation;
  return page({
    presentation,
    title: t.text('hand_over.title', { app: template.title }),
    head: html`<meta http-equiv="refresh" content="0; url=${url}">`,
    body: html`
<section class="panel">
<h1>${t.text('hand_over.heading', { app: template.title })}</h1>
<p role="status">${t.text('hand_over.text')}</p>
<p><a class="button primary" href="${url}">${t.text('hand_over.open')}</a></p>
</section>`,
  });
}
