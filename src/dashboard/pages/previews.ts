import type { CatalogueState, PreviewSnapshot } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import { distance } from '../../presentation/plain-text.ts';
import { ago, ahead, link, said, section, shown, table } from '../elements.ts';
import { actForm, actions, choice, input } from '../forms.ts';
import { fragmentsOf, type Fragments } from '../fragments.ts';
import type { View } from '../layout.ts';
import type { Snapshot } from '../snapshot.ts';
import { fragment } from './overview.ts';

/** A template that lets previews be made of it. */
interface Source {
  readonly name: string;
  readonly rules: NonNullable<CatalogueState['templates'][number]['previews']>;
}

/** Copies of templates with other images, and what may be put. */
export function previewsPage(view: View, snapshot: Snapshot): Html {
  const { previews, catalogue } = snapshot;
  const fragments = fragmentsOf(snapshot);
  return html`${section(
    'Now',
    shown(previews, (all) => previewTable(view, all, fragments)),
  )}
${section(
  'What may be put',
  shown(catalogue, ({ templates }) => {
    const sources = templates.flatMap(({ name, previews: rules }) => (rules === undefined ? [] : [{ name, rules }]));
    const live = 'value' in previews ? previews.value.filter(({ state }) => state !== 'ended') : [];
    return html`${sourceTable(sources, live)}${sources.length > 0 && actions(view, [putForm(view, sources)])}`;
  }),
)}`;
}

function previewTable(view: View, previews: readonly PreviewSnapshot[], fragments: Fragments): Html {
  return table(
    'Previews',
    ['Preview', 'State', 'Image', 'Ready', 'Visitors', 'Ends', 'Put by', ''],
    previews.map((preview) => {
      const { name, from, image, by, putAtMs, endsAtMs } = preview;
      const value = (what: string): Html => fragment(fragments, `preview.${name}.${what}`);
      return [
        html`${isOffered(preview) ? poolLink(name) : said(name)} <small>of ${said(from)}</small>`,
        value('state'),
        html`<span class="id">${said(image)}</span>`,
        value('ready'),
        value('visitors'),
        preview.state === 'ended' ? ago(endsAtMs) : ahead(endsAtMs),
        html`<span class="id">${said(by ?? 'unknown')}</span> <small>${ago(putAtMs)}</small>`,
        preview.state === 'ended' ? '' : actForm(view, 'preview.remove', { on: name, label: `Remove ${said(name)}` }),
      ];
    }),
    html`There are no previews. A build puts one for each pull request (<code>docs/previews.md</code>), or you do \
below where a template lets you.`,
  );
}

/** `live`: what counts against `previews.max`. */
function sourceTable(sources: readonly Source[], live: readonly PreviewSnapshot[]): Html {
  return table(
    'Templates that let previews be made',
    ['Template', 'Images', 'Offered', 'Each lasts at most'],
    sources.map(({ name, rules: { images, max, maxAgeMs } }) => [
      poolLink(name),
      html`<span class="id">${images.map(said).join(', ')}</span>`,
      `${live.filter(({ from }) => from === name).length} of ${max}`,
      distance(new Date(maxAgeMs).toISOString(), 0),
    ]),
    html`Nothing: no template lets previews be made. One does by <code>previews</code> in its file.`,
  );
}

function putForm(view: View, sources: readonly Source[]): Html {
  return actForm(view, 'preview.put', {
    inputs: html`${input('name', 'Name', { hint: 'shop-pr-12', required: true })}
${choice(
  'from',
  'Of the template',
  sources.map(({ name }) => [name, name] as const),
)}
${input('image', 'Image', { hint: sources[0]?.rules.images[0] ?? '', required: true })}
${input('for', 'For (empty: as long as may be)', { hint: '3d' })}`,
  });
}

/** So it has a pool. */
function isOffered({ state }: PreviewSnapshot): boolean {
  return state !== 'ended' && state !== 'refused';
}

function poolLink(template: string): Html {
  return link(`/pools/${encodeURIComponent(template)}`, said(template));
}
