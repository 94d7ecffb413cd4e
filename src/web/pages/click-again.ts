import type { Template } from '../../domain/template.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { Presentation } from '../presentation.ts';
import { page } from './layout.ts';

/** Has the browser send a click again from here, by itself or, without scripts, by another click. */
export function clickAgainPage({
  presentation,
  template: { title },
  action,
  fields,
}: {
  readonly presentation: Presentation;
  readonly template: Template;
  readonly action: string;
  /** Of the click. */
  readonly fields: Html | false;
}): string {
  const { t } = presentation;
  return page({
    presentation,
    title,
    body: html`
<section class="panel">
<h1>${title}</h1>
<form method="post" action="${action}" data-try="${t.text('home.starting')}" data-again>
${fields}
<button class="primary">${t.text('home.try')}</button>
</form>
</section>`,
  });
}
