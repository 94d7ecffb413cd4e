import type { Template } from '../../domain/template.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { Translator } from '../../presentation/languages/translator.ts';
import type { Presentation } from '../presentation.ts';
import { page } from './layout.ts';

/** How the web component shows a visit. */
export const EMBED_MODES = ['modal', 'inline', 'tab'] as const;
type EmbedMode = (typeof EMBED_MODES)[number];

export interface EmbedParts {
  readonly presentation: Presentation;
  readonly templates: readonly Template[];
  readonly template: Template;
  readonly mode: EmbedMode;
  /** Of the start page. */
  readonly publicOrigin: string;
}

/** Snippets for other people's pages, and what they look like there. */
export function embedPage(parts: EmbedParts): string {
  const { presentation, template } = parts;
  const { t, assets } = presentation;
  return page({
    presentation,
    title: t.text('embed.title'),
    head: html`<link rel="stylesheet" href="${assets['embed-page.css']}">
<script src="/embed.js" async></script>
<script src="${assets['embed-page.js']}" defer></script>`,
    body: html`
<section class="hero">
<h1>${t.text('embed.heading')}</h1>
<p>${t.text('embed.intro')}</p>
</section>
<div class="embed">
${appChoice(parts)}
${allowedSites(t, template)}
${component(parts)}
${badges(parts)}
${form(parts)}
${policy(parts)}
</div>`,
  });
}

function address(template: Template, mode: EmbedMode): string {
  return `/embed?${new URLSearchParams({ template: template.name, mode }).toString()}`;
}

function choice(label: string, entries: readonly (readonly [text: string, href: string, isChosen: boolean])[]): Html {
  return html`<nav class="choice" aria-label="${label}"><span aria-hidden="true">${label}</span>
${entries.map(
  ([text, href, isChosen]) => html`<a href="${href}"${isChosen && html` aria-current="true"`}>${text}</a>\n`,
)}</nav>`;
}

function appChoice({ presentation: { t }, templates, template, mode }: EmbedParts): Html | false {
  return (
    templates.length > 1 &&
    choice(
      t.text('embed.app'),
      templates.map((each) => [each.title, address(each, mode), each === template]),
    )
  );
}

function allowedSites(t: Translator, { title, allowedOrigins }: Template): Html {
  return allowedOrigins.length === 0
    ? html`<p class="notice warn">${t.html('embed.none_allowed', {
        app: title,
        setting: html`<code>ALLOWED_ORIGINS</code>`,
      })}</p>`
    : html`<p class="notice good">${t.html('embed.allowed', {
        app: title,
        sites: html`${allowedOrigins.map((origin) => html`<code>${origin}</code> `)}`,
      })}</p>`;
}

function component(parts: EmbedParts): Html {
  const { presentation, template, mode, publicOrigin } = parts;
  const { t } = presentation;
  const attributes = `template="${template.name}"${mode === 'modal' ? '' : ` mode="${mode}"`}`;
  const snippet = `<script src="${publicOrigin}/embed.js" async></script>
<try-it-now ${attributes}>
${formSnippet(parts).replace(/^/gm, '  ')}
</try-it-now>`;
  return html`<section class="snippets">
<h2>${t.text('embed.component')}</h2>
<p>${t.text('embed.component_text')}</p>
${choice(
  t.text('embed.mode'),
  EMBED_MODES.map((each) => [t.text(`embed.mode_${each}`), address(template, each), each === mode]),
)}
${code(t, t.text('embed.component'), snippet)}
<h3>${t.text('embed.preview')}</h3>
<p>${t.text('embed.preview_text')}</p>
<div class="preview"><try-it-now template="${template.name}" mode="${mode}"></try-it-now></div>
</section>`;
}

function badges({ presentation: { t }, template, publicOrigin }: EmbedParts): Html {
  const image = `/badge/${encodeURIComponent(template.name)}.svg`;
  const target = `${publicOrigin}/try/${encodeURIComponent(template.name)}`;
  const alt = t.text('badge.try', { app: template.title });
  const looks = [
    [t.text('embed.badge_live'), image],
    [t.text('embed.badge_static'), `${image}?look=static`],
  ] as const;
  return html`<section class="snippets">
<h2>${t.text('embed.badge')}</h2>
<p>${t.text('embed.badge_text')}</p>
${looks.map(([look, source]) => {
  const markdown = `[![${alt.replace(/[\\[\]]/g, '\\$&')}](${publicOrigin}${source})](${target})`;
  const markup = html`<a href="${target}"><img src="${publicOrigin}${source}" alt="${alt}" height="20"></a>`.text;
  return html`<h3>${look}</h3>
<p class="preview"><img src="${withLang(source, t)}" alt="${alt}" height="20"></p>
${code(t, `${t.text('embed.markdown')} · ${look}`, markdown)}
${code(t, `${t.text('embed.html')} · ${look}`, markup)}`;
})}
</section>`;
}

/** The snippets leave the language out: those who read a readme need not be of the one who wrote it. */
function withLang(source: string, t: Translator): string {
  return `${source}${source.includes('?') ? '&' : '?'}lang=${t.tag}`;
}

function form(parts: EmbedParts): Html {
  const { t } = parts.presentation;
  return html`<section class="snippets">
<h2>${t.text('embed.form')}</h2>
<p>${t.text('embed.form_text')}</p>
${code(t, t.text('embed.form'), formSnippet(parts))}
</section>`;
}

function formSnippet({ presentation: { t }, template, publicOrigin }: EmbedParts): string {
  const action = `${publicOrigin}/try/${encodeURIComponent(template.name)}`;
  return html`<form method="post" action="${action}" target="_blank"><button>${t.text('home.try')}</button></form>`
    .text;
}

/** Only what the mode needs; docs/embedding.md says why for each. */
function policy({ presentation: { t }, mode, publicOrigin }: EmbedParts): Html {
  const directives =
    mode === 'tab'
      ? ['script-src', 'form-action', 'img-src']
      : ['script-src', 'connect-src', 'frame-src', 'form-action', 'img-src'];
  return html`<section class="snippets">
<h2>${t.text('embed.policy')}</h2>
<p>${t.text('embed.policy_text')}</p>
${code(t, t.text('embed.policy'), directives.map((name) => `${name} ${publicOrigin}`).join('; '))}
</section>`;
}

function code(t: Translator, what: string, text: string): Html {
  const [copied, notCopied] = [t.text('visit.copied'), t.text('embed.not_copied')];
  return html`<div class="snippet" data-copied="${copied}" data-not-copied="${notCopied}">
<pre tabindex="0" role="region" aria-label="${what}" dir="ltr"><code>${text}</code></pre>
<button class="quiet" type="button" data-copy aria-label="${t.text('embed.copy_label', { what })}" hidden>\
${t.text('embed.copy')}</button>
<p role="status"></p>
</div>`;
}
