import { ERROR_CATALOGUE, type ErrorCode, type TryItNowError } from '../../domain/errors.ts';
import type { AssetUrls } from '../assets.ts';
import { inWords } from '../duration.ts';
import { html, type Html } from '../html.ts';
import { page } from './layout.ts';

interface Wording {
  readonly heading: string;
  readonly text: string;
}

const WORDINGS: Partial<Record<ErrorCode, Wording>> = {
  hourly_limit: {
    heading: 'That was plenty for one hour',
    text: 'Your address has started as many copies as one may within an hour.',
  },
  daily_limit: {
    heading: 'That was plenty for one day',
    text: 'Your address has started as many copies as one may within a day.',
  },
  unknown_template: {
    heading: 'There is no such app here',
    text: 'It may have been taken off the list, or the address has a typo.',
  },
  unknown_instance: {
    heading: 'This copy has ended',
    text: 'Everything in it is gone. You can start a fresh one whenever you like.',
  },
  landing_not_allowed: {
    heading: 'That link leads nowhere',
    text: 'The app does not let visitors land where the link points. Start from the first page instead.',
  },
  unknown_route: { heading: 'There is nothing here', text: 'The address has a typo, or what was here is gone.' },
  foreign_origin: {
    heading: 'That click came from another site',
    text: 'So nothing was done. Start from our own page and it will work.',
  },
  store_unavailable: {
    heading: 'We cannot hand out copies right now',
    text: 'Something we need does not answer. Copies that already run go on running; please try again in a minute.',
  },
  pool_paused: {
    heading: 'Taking a break',
    text:
      'The operators hand out no copies of this for the moment. Copies that already run go on running; please ' +
      'come back a little later.',
  },
  pool_empty: {
    heading: 'There are no copies of this right now',
    text: 'None are being prepared either, so there is no use in waiting. Please come back later.',
  },
  shutting_down: {
    heading: 'Back in a moment',
    text: 'This server is being restarted. Please try again in a few seconds.',
  },
  internal_error: {
    heading: 'Something went wrong here',
    text: 'It is in our log. Please try again; if it stays, tell us the number below.',
  },
};

/** A failure as a page, in words for a visitor. */
export function failurePage(parts: {
  readonly assets: AssetUrls;
  readonly error: TryItNowError;
  readonly retryAfterSeconds: number | undefined;
  readonly requestId: string;
}): string {
  const { assets, error, retryAfterSeconds, requestId } = parts;
  const said = error.code === 'pool_paused' ? error.details?.['reason'] : undefined;
  const { heading, text } = WORDINGS[error.code] ?? {
    heading: ERROR_CATALOGUE[error.code].title,
    text: ERROR_CATALOGUE[error.code].remedy,
  };
  const isOurFault = error.code !== 'pool_paused' && error.status >= 500;
  return page({
    title: `${heading} · Try It Now`,
    assets,
    body: html`
<section class="panel">
<h1>${heading}</h1>
<p>${text}</p>
${isLimit(error.code) && retryAfterSeconds !== undefined && nextOne(retryAfterSeconds)}
${typeof said === 'string' && html`<p class="note">The operators say: <q>${said}</q></p>`}
<p><a class="button primary" href="/">Back to the start</a></p>
${isOurFault && html`<p class="waited">Number of this request: <code>${requestId}</code></p>`}
</section>`,
  });
}

function isLimit(code: ErrorCode): boolean {
  return code === 'hourly_limit' || code === 'daily_limit';
}

/** Where a problem's `type` leads: what the code means and what to do. */
export function problemPage({ assets, code }: { readonly assets: AssetUrls; readonly code: ErrorCode }): string {
  const { title, remedy, status, retryable } = ERROR_CATALOGUE[code];
  return page({ title: `${code} · Try It Now`, assets, body: explanation(code, title, remedy, status, retryable) });
}

function explanation(code: ErrorCode, title: string, remedy: string, status: number, retryable: boolean): Html {
  return html`
<section class="panel">
<h1>${title}</h1>
<p><code>${code}</code> · HTTP status ${status}</p>
<p>${remedy}</p>
<p>${
    retryable
      ? 'The same request may succeed later without being changed.'
      : 'The same request will fail again until it is changed.'
  }</p>
</section>`;
}

function nextOne(inSeconds: number): Html {
  return html`<p class="note">The next one is possible in about <strong>${inWords(inSeconds)}</strong>. \
What you have open stays yours.</p>`;
}
