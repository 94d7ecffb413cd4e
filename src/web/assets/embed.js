/* global KIT, document, window, navigator, HTMLElement, CSSStyleSheet, CustomEvent, customElements, crypto,
   AbortController, EventSource, URLSearchParams, fetch, setInterval, clearTimeout, clearInterval */
// The web component <try-it-now>. The server puts before it, as KIT, where it is itself, its texts and colours,
// and what an app in a frame may be let do.

const { origin, languages, regional, accent, ink, delegated } = KIT;
const LISTEN_MS = 10_000;
const RETRY_MS = 2_000;
// Between two tries to take what is there already.
const TURN_RETRY_MS = 1_000;
const LOOK_MS = 10_000;
// The page in a frame tells each minute at least, and may be late where nobody sees it.
const SILENT_MS = 150_000;
// In seconds before the end, as the bar warns.
const WARNINGS = [60, 300];

// Constructed, so that no policy has to allow inline styles.
const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host { display: inline-block; }
:host([hidden]), [hidden] { display: none !important; }
:host([data-open]) { display: block; }
* { box-sizing: border-box; }
button, a {
  display: inline-flex; align-items: center; justify-content: center; gap: .5em; min-height: 2.75em;
  padding: .5em 1.2em; border: 1px solid transparent; border-radius: var(--try-it-now-radius, 10px);
  background: var(--try-it-now-accent, ${accent}); color: var(--try-it-now-ink, ${ink});
  font: 600 1em/1.2 var(--try-it-now-font, system-ui, sans-serif); text-decoration: none; cursor: pointer;
}
button:hover, a:hover { filter: brightness(.93); }
:focus-visible { outline: 3px solid var(--try-it-now-accent, ${accent}); outline-offset: 3px; }
.quiet { background: none; border-color: GrayText; color: CanvasText; }
svg { width: .75em; fill: currentcolor; }
dialog[open], section {
  display: flex; flex-direction: column; padding: 0; border: 0; border-radius: var(--try-it-now-radius, 10px);
  background: Canvas; color: CanvasText; font: 16px/1.5 var(--try-it-now-font, system-ui, sans-serif);
  text-align: start; overflow: hidden;
}
dialog { width: min(100vw - 2rem, 34rem); min-height: 16rem; max-width: none; max-height: none; }
dialog:has(iframe) { width: min(100vw - 2rem, 84rem); height: min(100dvh - 2rem, 60rem); }
dialog::backdrop { background: rgb(10 12 20 / 60%); }
section header { display: none; }
section { height: var(--try-it-now-height, 40rem); border: 1px solid GrayText; }
header { display: flex; align-items: center; padding: .25rem .25rem .25rem 1rem; }
h2 { flex: 1; margin: 0; overflow: hidden; font-size: 1rem; text-overflow: ellipsis; white-space: nowrap; }
header button { width: 2.75rem; padding: 0; border: 0; }
header + div {
  flex: 1; display: grid; place-content: center; justify-items: center; gap: 1rem; min-height: 0; padding: 1.5rem;
  text-align: center;
}
div:has(iframe) { display: flex; padding: 0; }
p { max-width: 34rem; margin: 0; text-wrap: balance; }
strong { display: block; font-size: 1.25rem; }
iframe { flex: 1; width: 100%; border: 0; background: #fff; }
.spinner {
  width: 2rem; height: 2rem;
  border: 3px solid var(--try-it-now-accent, ${accent}); border-top-color: transparent;
  border-radius: 50%;
  animation: turn 1s linear infinite;
}
@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .spinner { animation-duration: 6s; } }
@media (max-width: 46rem) { dialog[open]:has(iframe) { width: 100vw; height: 100dvh; border-radius: 0; } }
`);

const make = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

const pause = (ms) => new Promise((over) => setTimeout(over, ms));

// One visitor for all buttons of a site in this browser, so that a reload or another tab finds the place or the copy
// again. Kept from the first click on, for as long after the last one as a visit can last.
let visitor = [...crypto.getRandomValues(new Uint8Array(22))].map((byte) => (byte % 36).toString(36)).join('');
const KEY = `try-it-now ${origin}`;
const KEPT_MS = 30 * 86_400_000;
const keepVisitor = () => {
  for (const storage of ['localStorage', 'sessionStorage'])
    try {
      const [token, clickedAt] = window[storage][KEY]?.split(' ') ?? [];
      if (clickedAt > Date.now() - KEPT_MS) visitor = token;
      window[storage][KEY] = `${visitor} ${Date.now()}`;
      return;
    } catch {
      // A browser that keeps nothing there.
    }
};

class TryItNow extends HTMLElement {
  static observedAttributes = ['template', 'mode', 'label', 'open', 'lang'];

  #root = this.attachShadow({ mode: 'open' });
  #button;
  // What shows the visit: a dialog, or a section of the page.
  #box;
  #title;
  #body;
  #said;
  #frame;
  // What began with a click. Its `phase` is waiting, running or over; `heardAt` is when the frame last told.
  #run;
  #timer;
  #poll;

  connectedCallback() {
    this.#root.adoptedStyleSheets = [sheet];
    window.addEventListener('message', this);
    if (!this.#run) this.#render();
  }

  disconnectedCallback() {
    window.removeEventListener('message', this);
    this.#leave();
    this.#forget();
  }

  attributeChangedCallback(name, before, now) {
    if (!this.isConnected) return;
    if (!this.#run) this.#render();
    else if (name === 'template' && before !== now) {
      // Another app: as if this element had gone and another had come.
      this.#leave();
      this.#forget();
    }
  }

  // What the page in the frame tells.
  handleEvent({ origin: sender, source, data }) {
    if (sender !== origin || !this.#frame || source !== this.#frame.contentWindow || !data?.tryItNow) return;
    this.#run.heardAt = Date.now();
    if (data.tryItNow.again) this.#again();
    else this.#learn(data.tryItNow);
  }

  // Of the element, else of the page, else of the browser; the texts are those that the server has for it.
  get #lang() {
    return this.closest('[lang]')?.lang || navigator.language;
  }

  get #texts() {
    let lang = this.#lang.toLowerCase();
    lang = regional[lang] ?? lang;
    while (lang && !languages[lang]) lang = lang.replace(/-?[^-]*$/, '');
    return languages[lang] ?? Object.values(languages)[0];
  }

  get #inline() {
    return this.getAttribute('mode') === 'inline';
  }

  // Private, as all of them: frameworks that find a public one assign to it in place of setting the attribute.
  get #template() {
    return this.getAttribute('template') ?? '';
  }

  get #label() {
    return this.getAttribute('label') || this.#texts.start;
  }

  #address(rest, values, template = this.#template) {
    const path = `${origin}/embed/${encodeURIComponent(template)}${rest}`;
    return `${path}?${new URLSearchParams({ lang: this.#lang, ...values })}`;
  }

  #post(address, values, more) {
    return fetch(address, { method: 'POST', body: new URLSearchParams(values), ...more });
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail: { template: this.#template, ...detail } }));
  }

  #render() {
    const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    icon.setAttribute('viewBox', '0 0 8 9');
    icon.setAttribute('aria-hidden', 'true');
    const arrow = document.createElementNS(icon.namespaceURI, 'path');
    arrow.setAttribute('d', 'M0 0v9l8-4.5z');
    icon.append(arrow);
    this.#button = make('button', { part: 'button' }, icon, this.#label);
    if (this.getAttribute('mode') === 'tab') {
      const open = this.getAttribute('open');
      const query = open ? `?${new URLSearchParams({ open })}` : '';
      const action = `${origin}/try/${encodeURIComponent(this.#template)}${query}`;
      const form = { method: 'post', action, target: '_blank', rel: 'noopener' };
      this.#root.replaceChildren(make('form', form, this.#button));
      return;
    }
    if (!this.#inline) this.#button.setAttribute('aria-haspopup', 'dialog');
    this.#button.addEventListener('click', () => this.start());
    this.#root.replaceChildren(this.#button);
  }

  // As a click on the button: shows the visit there is, or begins one.
  start() {
    if (this.#button.form) this.#button.form.requestSubmit();
    else if (this.#run && this.#run.phase !== 'over') {
      // A page that has not come is asked for again.
      if (this.#frame && !this.#run.heardAt) this.#frame.src += '';
      this.#show();
    } else this.#again();
  }

  // The server knows whether its visitor has one that runs.
  #again() {
    this.#stop();
    void this.#begin();
  }

  async #begin() {
    const { leave, noConnection, starting } = this.#texts;
    keepVisitor();
    const run = (this.#run = Object.assign(new AbortController(), {
      phase: 'waiting',
      template: this.#template,
    }));
    this.#hold(run);
    // Until it is aborted.
    window.addEventListener('pageshow', () => this.#hold(run), run);
    this.#show();
    this.#fill(
      make('div', { class: 'spinner', part: 'spinner' }),
      starting,
      make('button', { class: 'quiet', part: 'action' }, leave),
      () => this.close(),
    );
    let placed = false;
    while (!run.signal.aborted) {
      const answer = await this.#ask(run.signal);
      if (run.signal.aborted) return this.#giveBack(run, answer);
      const { state } = answer;
      if (state === 'ready' || state === 'waiting') this.#title.textContent = answer.title;
      if (state === 'ready') return this.#enter(answer);
      if (state === 'waiting') {
        placed = true;
        this.#queue(answer);
        await Promise.all([this.#turn(run.signal), pause(TURN_RETRY_MS)]);
      } else if (placed && !state && !answer.refused) {
        this.#said.textContent = noConnection;
        await pause(RETRY_MS);
      } else return this.#fail(answer);
    }
  }

  async #ask(signal, altcha) {
    const open = this.getAttribute('open');
    try {
      // Not cut off by who stops waiting: what it gets them would be nobody's.
      const response = await this.#post(this.#address(''), {
        visitor,
        ...(open && { open }),
        ...(altcha && { altcha }),
      });
      const answer = await response.json();
      if (answer.challenge && !altcha && !signal.aborted)
        return this.#ask(signal, await (await import(answer.solver)).solve(answer.challenge));
      const refused = response.status < 500 || /^pool_/.test(answer.code);
      return response.ok ? answer : { ...answer, refused };
    } catch {
      return {};
    }
  }

  // Until it may be this visitor's turn. The stream keeps the place; without one, asking again does.
  #turn(signal) {
    return new Promise((over) => {
      const events = new EventSource(this.#address('/events', { visitor }));
      const done = () => {
        events.close();
        over();
      };
      const later = () => setTimeout(done, RETRY_MS);
      setTimeout(done, LISTEN_MS);
      signal.addEventListener('abort', done);
      events.addEventListener('place', ({ data }) => this.#queue(JSON.parse(data)));
      events.addEventListener('turn', done);
      events.addEventListener('gone', later);
      events.addEventListener('error', later);
    });
  }

  #queue({ position, eta_seconds: etaSeconds, reason, progress }) {
    if (progress && this.#said.textContent !== progress) this.#said.textContent = progress;
    const told = `${position} ${etaSeconds} ${reason}`;
    if (this.#run.told !== told) this.#emit('queue', { position, etaSeconds, reason });
    this.#run.told = told;
  }

  #show() {
    if (!this.#box) {
      this.#title = make('h2', { id: 'title' }, this.#label);
      this.#body = make('div', { tabindex: -1 });
      const header = make('header', { part: 'header' }, this.#title);
      if (!this.#inline) {
        const close = make('button', { class: 'quiet', part: 'close', 'aria-label': this.#texts.close }, '✕');
        close.addEventListener('click', () => this.close());
        header.append(close);
      }
      const box = this.#inline ? 'section' : 'dialog';
      this.#box = make(box, { part: box, 'aria-labelledby': 'title' }, header, this.#body);
      this.#box.addEventListener('close', () => this.close());
      this.#root.append(this.#box);
    }
    if (this.#inline) {
      const had = this.#root.activeElement;
      this.#button.hidden = true;
      this.dataset.open = '';
      if (had) this.#body.focus();
    } else if (!this.#box.open) this.#box.showModal();
  }

  // A picture or heading, words that screen readers are told, and what can be done.
  #fill(top, text, action, done) {
    const button = action.nodeType ? action : make('button', { part: 'action' }, action);
    if (done) button.addEventListener('click', done);
    this.#said = make('p', { role: 'status', part: 'status' }, text);
    this.#replace(top, this.#said, button);
    this.#frame = undefined;
  }

  // The focus stays where what had it was.
  #replace(...children) {
    const had = this.#body.contains(this.#root.activeElement);
    this.#body.replaceChildren(...children);
    if (had) this.#body.focus();
  }

  #enter({ url, framed, visit, seconds_left: secondsLeft, expires_at: expiresAt, title }) {
    Object.assign(this.#run, { phase: 'running', visit });
    if (framed) {
      const src = new URL(url);
      src.searchParams.set('embed', this.#inline ? 'inline' : 'modal');
      src.searchParams.set('lang', this.#lang);
      const allow = delegated.map((ability) => `${ability} *`).join('; ');
      this.#frame = make('iframe', { part: 'frame', src, title, allow, referrerpolicy: 'no-referrer' });
      this.#replace(this.#frame);
    } else {
      // Still part of the click, mostly; where the browser takes it for none, the link is there.
      const tab = window.open('about:blank');
      if (tab) {
        tab.opener = null;
        tab.location = url;
      }
      const link = { href: url, target: '_blank', rel: 'noopener', part: 'action' };
      this.#fill('', this.#texts.inTab, make('a', link, this.#texts.openTab));
    }
    this.#poll = setInterval(() => this.#look(this.#run), LOOK_MS);
    this.#button.lastChild.textContent = this.#texts.open;
    this.#emit('ready', { url, framed, secondsLeft, expiresAt });
    this.#learn({ seconds_left: secondsLeft });
  }

  // While no frame tells: of an app in a tab of its own, or where the page in the frame did not come.
  async #look({ visit, signal, heardAt }) {
    if (Date.now() - heardAt < SILENT_MS) return;
    const answer = await fetch(`${visit}/state`, { signal }).catch(() => ({}));
    if (answer.ok) {
      // In the page, nothing but the button can ask for it again.
      if (!heardAt) this.#button.hidden = false;
      this.#learn(await answer.json());
    } else if (answer.status === 404) this.#over();
  }

  #learn({ seconds_left: secondsLeft }) {
    const run = this.#run;
    clearTimeout(this.#timer);
    if (run?.phase !== 'running') return;
    if (secondsLeft === 0) {
      const { again, ended } = this.#texts;
      run.phase = 'over';
      this.#stop();
      this.#button.lastChild.textContent = this.#label;
      if (!this.#frame) this.#fill('', ended, again, () => this.start());
      this.#emit('ended');
      return;
    }
    const level = WARNINGS.find((at) => secondsLeft <= at);
    if (level && level !== run.level) this.#emit('ending', { secondsLeft });
    run.level = level;
    const next = WARNINGS.findLast((at) => at < secondsLeft);
    // Longer than timers can be: the next look comes before.
    if (next && secondsLeft < 2e6)
      this.#timer = setTimeout(() => this.#learn({ seconds_left: next }), (secondsLeft - next) * 1000);
  }

  #fail({ code = 'no_answer', heading = '', text, detail, remedy, retryable = true, retry_after_seconds: seconds }) {
    const { noAnswer, retry } = this.#texts;
    this.#run.phase = 'over';
    this.#stop();
    this.#fill(make('strong', {}, heading), text ?? noAnswer, retry, () => this.start());
    const message = detail ?? `${origin} did not answer; is this site in its ALLOWED_ORIGINS, and it in connect-src?`;
    this.#emit('error', { code, message, remedy, retryable, retryAfterSeconds: seconds });
  }

  // Puts the visit out of sight, where it goes on; who still waits gives their place up.
  close() {
    if (this.#box?.open) this.#box.close();
    else if (this.#run?.phase !== 'running') {
      this.#leave();
      this.#forget();
    }
  }

  // Ends the visit, for good. Rejects where the server did not, so that it goes on.
  async end() {
    if (this.#run?.phase !== 'running') return;
    const { ok, status } = await this.#post(`${this.#run.visit}/end`);
    if (!ok && status !== 404) throw new Error(`${origin} answered ${status}`);
    this.#over();
  }

  // As the server has it, whatever a frame shows.
  #over() {
    this.#frame = undefined;
    this.#learn({ seconds_left: 0 });
  }

  #leave(run = this.#run) {
    if (run?.phase === 'waiting') void this.#unlessHeld(run, this.#address('/leave', {}, run.template));
  }

  // What came after its visitor had gone: unless they have it in another tab, or have come back for it.
  #giveBack(run, { state, visit, again }) {
    if (this.#run?.template === run.template) return;
    if (state === 'waiting') this.#leave(run);
    else if (state === 'ready' && !again) void this.#unlessHeld(run, `${visit}/end`);
  }

  // All tabs of a site have one place in the line, and one copy: each that waits or shows it holds a lock meanwhile.
  // A page that is left, which browsers may keep, holds none until it comes back.
  #hold(run) {
    run.lock = `${KEY} ${visitor} ${run.template}`;
    run.held = navigator.locks
      ?.request(
        run.lock,
        { mode: 'shared' },
        () =>
          new Promise((over) => {
            if (run.signal.aborted) over();
            run.signal.addEventListener('abort', over);
            window.addEventListener('pagehide', over);
          }),
      )
      .catch(() => {});
  }

  // Where a browser has no locks, as over plain http, nobody knows of others.
  async #unlessHeld(run, address) {
    await run.held;
    const send = () => this.#send(address);
    if (!navigator.locks) return send();
    await navigator.locks.request(run.lock, { ifAvailable: true }, (lock) => lock && send()).catch(send);
  }

  // Also from a page that is just being left.
  #send(address) {
    this.#post(address, { visitor }, { keepalive: true }).catch(() => {});
  }

  #stop() {
    this.#run?.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#poll);
  }

  #forget() {
    const had = this.#root.activeElement;
    this.#stop();
    this.#box?.remove();
    this.#run = this.#box = this.#frame = undefined;
    delete this.dataset.open;
    if (!this.isConnected) return;
    this.#render();
    if (had) this.#button.focus();
  }
}

if (!customElements.get('try-it-now')) customElements.define('try-it-now', TryItNow);
