import { describe, expect, it } from 'vitest';
import { html } from './html.ts';

describe('html', () => {
  it('escapes what would become markup or end an attribute', () => {
    expect(html`<p title="${'"\'><script>&'}">${'<b>&amp;</b>'}</p>`.text).toBe(
      '<p title="&quot;&#39;&gt;&lt;script&gt;&amp;">&lt;b&gt;&amp;amp;&lt;/b&gt;</p>',
    );
  });

  it('takes its own output as it is, also in lists', () => {
    expect(html`<ul>${['a', '<'].map((text) => html`<li>${text}</li>`)}</ul>`.text).toBe(
      '<ul><li>a</li><li>&lt;</li></ul>',
    );
  });

  it('leaves out false and undefined but not 0', () => {
    expect(html`[${false}${undefined}${0}]`.text).toBe('[0]');
  });
});
