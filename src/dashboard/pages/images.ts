import type { ImageSnapshot } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import { ago, ahead, badge, capital, empty, facts, notice, said, section, shown, type Tone } from '../elements.ts';
import { actForm, actions, input } from '../forms.ts';
import type { View } from '../layout.ts';
import type { Part } from '../snapshot.ts';

const TONES: Readonly<Record<ImageSnapshot['state'], Tone>> = {
  unchecked: 'quiet',
  unknown: 'quiet',
  current: 'good',
  asked: 'busy',
  trying: 'busy',
  refused: 'bad',
  held: 'warn',
};

export function imagesPage(view: View, images: Part<readonly ImageSnapshot[]>): Html {
  return shown(images, (all) =>
    all.length === 0
      ? empty('Every template names its image by digest, so none can ever be another.')
      : html`${all.map((image) => one(view, image))}`,
  );
}

function one(view: View, image: ImageSnapshot): Html {
  const { name, templates, state, pin, former, tried, refused, held, checked, nextCheckMs, obstacle } = image;
  const problem = checked?.problem;
  return section(
    said(name),
    html`${
      refused?.why === 'failed' &&
      notice(
        'bad',
        html`<p><strong>A new image is refused, and reaches nobody.</strong> ${capital(said(refused.reason))}.</p>`,
      )
    }${
      problem !== undefined && notice('warn', `${problemInWords(problem)}: ${said(problem.reason)}`)
    }${obstacle !== undefined && notice('warn', `No host looks for new ones: ${said(obstacle)}`)}${facts([
      ['State', badge(state, TONES[state])],
      ['Now', tried === undefined ? undefined : `${said(tried.node)}: ${said(tried.step)}`],
      ['Templates', templates.join(', ')],
      ['Visitors get', pin === undefined ? withoutPin(state) : identity(pin)],
      ['Decided on', pin === undefined ? undefined : said(pin.node)],
      ['Before', former === undefined ? undefined : html`${identity(former.pin)}, until ${ago(former.untilMs)}`],
      ['Not taken', refused === undefined ? undefined : html`${identity(refused)}, ${ago(refused.atMs)}`],
      ['Held', held === undefined ? undefined : html`${ago(held.atMs)} ${said(held.reason ?? '')}`],
      ['Checked', state === 'unchecked' ? 'image_check is off' : ago(checked?.atMs)],
      ['Next check', nextCheckMs === undefined ? undefined : ahead(nextCheckMs)],
    ])}${state !== 'unchecked' && actions(view, forms(view, image))}`,
  );
}

function problemInWords({ untried }: NonNullable<NonNullable<ImageSnapshot['checked']>['problem']>): string {
  return untried === true ? 'A new one could not be tried so far' : 'Nobody can say whether there is a new one';
}

/** Where nobody looks for new ones, each host has what it found under the name. */
function withoutPin(state: ImageSnapshot['state']): string {
  return state === 'unchecked' ? 'what each host has under this name' : 'nothing so far';
}

function forms(view: View, { name, held, former }: ImageSnapshot): readonly Html[] {
  return [
    ...(held === undefined
      ? [
          actForm(view, 'image.check', { on: name, label: `Look for a new one now: ${name}` }),
          actForm(view, 'image.hold', { on: name, inputs: input('reason', 'Why'), label: `Hold ${name}` }),
        ]
      : [actForm(view, 'image.release', { on: name, label: `Let go of ${name}` })]),
    ...(former === undefined ? [] : [actForm(view, 'image.rollback', { on: name, label: `Go back with ${name}` })]),
  ];
}

function identity({ id, digest }: { readonly id: string; readonly digest?: string | undefined }): Html {
  return html`<span class="id">${said(digest ?? id)}</span>`;
}
