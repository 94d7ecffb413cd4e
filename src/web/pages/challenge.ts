import type { Template } from '../../domain/template.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { Presentation } from '../presentation.ts';
import { page } from './layout.ts';

/** Has the browser solve a challenge and send the click again with the solution, all by itself. */
export function challengePage({
  presentation,
  template,
  action,
  fields,
  challenge,
}: {
  readonly presentation: Presentation;
  readonly template: Template;
  readonly action: string;
  /** Of the click. */
  readonly fields: Html;
  readonly challenge: unknown;
}): string {
  const { t, assets } = presentation;
  return page({
    presentation,
    title: t.text('gate.title', { app: template.title }),
    head: html`<script type="module" src="${assets['gate.js']}"></script>`,
    body: html`
<section class="panel">
<div class="pulse" aria-hidden="true"><span></span><span></span><span></span></div>
<h1>${t.text('gate.heading')}</h1>
<p>${t.text('gate.text', { app: template.title })}</p>
<noscript><p class="note">${t.text('gate.no_script')}</p></noscript>
<form method="post" action="${action}" data-try-it-now-challenge="${JSON.stringify(challenge)}">
${fields}
<input type="hidden" name="altcha" value="">
</form>
<p><a class="button quiet" href="/">${t.text('site.back')}</a></p>
</section>`,
  });
}
