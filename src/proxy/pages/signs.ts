import { html, type Html } from '../../presentation/html.ts';

function sign(strokes: Html): Html {
  return html`<svg class="sign" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" \
stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${strokes}</svg>`;
}

export const HOURGLASS = sign(html`<path d="M6 3h12M6 21h12M7 3v3.5a5 5 0 0 0 10 0V3M7 21v-3.5a5 5 0 0 1 10 0V21"/>`);
export const CLOCK = sign(html`<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 3"/>`);
export const PLUG = sign(
  html`<path d="M4 4l16 16M9 3v4M15 3v5M6.5 8.5V11a5.5 5.5 0 0 0 8.6 4.5M17.5 9v2M12 16.5V21"/>`,
);
export const PULSE = html`<div class="pulse" aria-hidden="true"><span></span><span></span><span></span></div>`;
export const BRAND_MARK = html`<svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">\
<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1">\
<stop offset="0" stop-color="#6d5efc"/><stop offset="1" stop-color="#2f7bff"/></linearGradient></defs>\
<rect width="32" height="32" rx="9" fill="url(#g)"/>\
<path d="M12.2 9.6c0-1.1 1.2-1.8 2.1-1.2l9 6.1c.8.6.8 1.8 0 2.4l-9 6.1c-.9.6-2.1-.1-2.1-1.2z" fill="#fff"/></svg>`;
