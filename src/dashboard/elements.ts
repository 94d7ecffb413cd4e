import { distance, stripControlCharacters } from '../presentation/plain-text.ts';
import { html, type Html } from '../presentation/html.ts';
import type { Part, Trouble } from './snapshot.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'quiet';
export type Cell = Html | string | number;

/** What others wrote, on one line. */
export function said(text: string): string {
  return stripControlCharacters(text);
}

/** A sentence of ours, in which `commands` stand as they do in the documentation. */
export function withCode(text: string): Html {
  const pieces = said(text).split('`');
  return html`${pieces.map((piece, at) => (at % 2 === 1 ? html`<code>${piece}</code>` : html`${piece}`))}`;
}

/** What others wrote, as a sentence of its own and no longer than that. */
export function sentence(text: string, length: number): string {
  return `${capital(said(text))
    .slice(0, length)
    .replace(/[\s.:;,]+$/, '')}.`;
}

/** What begins a sentence. */
export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** What others wrote, line by line. */
export function output(text: string): Html {
  return html`<pre class="output" tabindex="0">${stripControlCharacters(text, 'lines')}</pre>`;
}

/** A sentence, and below it the lines that belong to it, as they stand. */
export function inLines(text: string): Html {
  const [first = '', ...rest] = text.split('\n');
  const lines = rest.map((line) => line.replace(/^ {2}(- )?/, ''));
  const list = html`<ul class="lines-of">${lines.map((line) => html`<li>${said(line)}</li>`)}</ul>`;
  return html`<p>${withCode(first)}</p>${lines.length > 0 && list}`;
}

export function badge(text: string, tone: Tone): Html {
  return html`<span class="badge" data-tone="${tone}">${text}</span>`;
}

export function notice(tone: Tone, content: Html | string): Html {
  return html`<div class="notice" data-tone="${tone}" role="${tone === 'bad' ? 'alert' : 'status'}">${content}</div>`;
}

export function empty(text: string | Html): Html {
  return html`<p class="empty">${text}</p>`;
}

/** Part of a page that the live stream replaces when it changes. */
export function live(key: string, content: Cell): Html {
  return html`<span data-live="${key}">${content}</span>`;
}

/** The same, of whole paragraphs. */
export function liveBlock(key: string, content: Html): Html {
  return html`<div data-live="${key}">${content}</div>`;
}

/** What is wrong with a part, where its figures would be. */
function troubleNotice({ message, remedy }: Trouble): Html {
  return notice(
    'bad',
    html`<p><strong>This cannot be shown right now.</strong> ${said(message)}.</p><p>${withCode(remedy)}</p>`,
  );
}

export function shown<T>(part: Part<T>, render: (value: T) => Html): Html {
  return 'value' in part ? render(part.value) : troubleNotice(part.trouble);
}

/** `17 min ago`, with the exact time on it. */
export function ago(ms: number | undefined | null, never = 'never'): Html {
  return ms === undefined || ms === null ? html`${never}` : time(ms, `${distance(new Date(ms).toISOString())} ago`);
}

/** `in 17 min`. */
export function ahead(ms: number): Html {
  return time(ms, ms <= Date.now() ? 'now' : `in ${distance(new Date(ms).toISOString())}`);
}

/** `2026-11-29 21:45:39 UTC`. */
export function exactly(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function time(ms: number, text: string): Html {
  return html`<time datetime="${new Date(ms).toISOString()}" title="${exactly(ms)}">${text}</time>`;
}

/** Rows, on a phone each a card of its own; roles are spelled out, since styles that make cards of rows take them. */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
  nothing: string | Html,
): Html {
  if (rows.length === 0) return empty(nothing);
  return html`<table class="list" role="table"><caption class="unseen">${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns.map(heading)}</tr></thead>
<tbody role="rowgroup">${rows.map(
    (cells) =>
      html`<tr role="row">${cells.map(
        (cell, at) => html`<td role="cell" data-label="${columns[at] ?? ''}"><span>${cell}</span></td>`,
      )}</tr>`,
  )}</tbody></table>`;
}

function heading(column: string): Html {
  const text = column === '' ? html`<span class="unseen">Actions</span>` : column;
  return html`<th role="columnheader" scope="col">${text}</th>`;
}

/** Names and values. */
export function facts(entries: readonly (readonly [name: string, value: Cell | undefined])[]): Html {
  return html`<dl class="facts">${entries.map(([name, value]) =>
    value === undefined ? html`` : html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>`;
}

export function section(title: string, content: Html | readonly Html[], aside?: Html): Html {
  return html`<section class="block"><div class="head"><h2>${title}</h2>${aside}</div>${content}</section>`;
}

export function link(path: string, text: string): Html {
  return html`<a href="${path}">${text}</a>`;
}

export function counted(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}
