/* global document, window, location, fetch, navigator, performance, setInterval, clearTimeout */
// The bar above an app: counts down, keeps longer, shares and ends. Without scripts this page leads into the app.

const { visit, secondsLeft, warnSeconds, embedded, storageCheck, host, ...data } = document.body.dataset;
const texts = JSON.parse(data.texts);
const { lang } = document.documentElement;
const { title } = document;
const part = (name) => document.querySelector(`[data-${name}]`);
const bar = part('bar');
const said = part('said');
const frame = document.querySelector('iframe');
const ended = part('ended');
const stay = part('stay');
const extend = part('extend');
const exportNow = part('export-now');

const POLL_MS = { seen: 10_000, hidden: 60_000 };
/** What is warned of, once each, in seconds before the end. */
const WARNINGS = [
  { at: 300, level: 'soon', text: texts.fiveMinutes },
  { at: 60, level: 'last', text: texts.oneMinute },
];

/** An app that has not come by then may have its own reasons, or none to show in a frame. */
const SLOW_MS = 15_000;

const offer = (text) => {
  part('offer').hidden = text === '';
  part('offer-text').textContent = text;
};
// Said of whatever the frame is led to and our own policy keeps out of it: pages of other sites.
document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
  if (effectiveDirective === 'frame-src') offer(texts.blocked);
});
const slow = setTimeout(() => offer(texts.slow), SLOW_MS);
frame.addEventListener('load', () => {
  clearTimeout(slow);
  if (part('offer-text').textContent === texts.slow) offer('');
});
part('decline').addEventListener('click', () => offer(''));
// Reached by another name than our own, such as 127.0.0.1 or a forwarded port: no instance lets that one frame it.
if (embedded === undefined && location.host !== host) location.replace(frame.dataset.src);
else frame.src = frame.dataset.src;

// Browsers that block cookies of other sites may keep apps in frames from storing anything. That only shows at the
// app's own address: a page of the proxy's there tells, in a frame that nobody sees.
const check = document.createElement('iframe');
const hidden = document.createElement('div');
const checked = ({ source, data: answer }) => {
  if (source !== check.contentWindow) return;
  window.removeEventListener('message', checked);
  hidden.remove();
  if (answer.stores === false && !over) offer(texts.noStorage);
};
window.addEventListener('message', checked);
check.sandbox = 'allow-scripts allow-same-origin';
check.src = storageCheck;
hidden.hidden = true;
hidden.attachShadow({ mode: 'closed' }).append(check);
document.body.append(hidden);

// Tells the web component that shows this page; only pages that may embed it can have it in a frame.
const tell = (message) => {
  if (embedded !== undefined && window.parent !== window) window.parent.postMessage({ tryItNow: message }, '*');
};

let endsAt = 0;
// Until its visitor is asked whether they still use it.
let askedInMs;
let over = false;
let level = '';

/** What passes is there to be read, and to be read out; what went wrong for longer. */
const READ_MS = { done: 6_000, wrong: 20_000 };
let passing;
// Not written again where it is there: that would be read out again.
const say = (text, forMs) => {
  if (over) return;
  clearTimeout(passing);
  if (said.textContent !== text) said.textContent = text;
  if (forMs !== undefined) passing = setTimeout(sayWhatStands, forMs);
};

const secondsNow = () => Math.max(0, Math.ceil((endsAt - performance.now()) / 1000));
const warning = () => WARNINGS.findLast(({ at }) => secondsNow() <= at);

/** The question, which is asked only of an end before the visit's own; else how little is left of that. */
const whatStands = () => {
  if (!stay.hidden) return texts.unused;
  return secondsNow() === 0 ? '' : (warning()?.text ?? '');
};
const sayWhatStands = () => say(whatStands());

const [first, later] = [1, 2].map((least) => new Intl.NumberFormat(lang, { minimumIntegerDigits: least }));
const clock = (seconds) => {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const [leading, ...others] = hours > 0 ? [hours, minutes, seconds % 60] : [minutes, seconds % 60];
  return [first.format(leading), ...others.map((part) => later.format(part))].join(':');
};

const end = (limit) => {
  if (over) return;
  // In a page of another site, its visitor may be typing elsewhere: they are told, and keep the focus there.
  const isHere = embedded === undefined || document.hasFocus();
  say(isHere ? '' : texts.ended);
  over = true;
  frame.remove();
  document.title = title;
  clearTimeout(slow);
  offer('');
  for (const open of document.querySelectorAll('dialog[open]')) open.close();
  bar.dataset.over = '';
  part('clock-label').textContent = texts.ended;
  exportNow?.remove();
  for (const why of ended.querySelectorAll('[data-limit]')) why.hidden = why.dataset.limit !== limit;
  ended.hidden = false;
  if (isHere) ended.querySelector('h1').focus();
  tell({ seconds_left: 0 });
};

const show = () => {
  if (over) return;
  const left = secondsNow();
  part('clock').textContent = clock(left);
  const { level: next = '' } = warning() ?? {};
  if (next !== level) {
    level = next;
    bar.dataset.level = level;
    if (exportNow !== null) exportNow.hidden = level === '';
    part('clock-label').textContent = level === '' ? texts.timeLeft : texts.ending;
    sayWhatStands();
  }
  // The server decides when it is over; its clock and this one need not agree to the second.
  if (left === 0) void look();
};

const learn = (state) => {
  const { seconds_left: left, seconds_until_unused_end: unused } = state;
  tell(state);
  endsAt = performance.now() + left * 1000;
  askedInMs = (unused - Number(warnSeconds ?? 0)) * 1000;
  const asks = askedInMs <= 0 && unused < left;
  if (stay.hidden === asks) {
    stay.hidden = !asks;
    // Who has another tab in front sees no more of this one.
    document.title = asks ? texts.unused : title;
    sayWhatStands();
  }
  show();
};

/** The answer's body; undefined for a visit that is over. Throws when nobody can say. */
const ask = async (path, method = 'GET') => {
  const answer = await fetch(`${visit}/${path}`, { method, headers: { accept: 'application/json' } });
  if (answer.status === 404) {
    const { limit } = await answer.json().catch(() => ({}));
    end(limit);
    return undefined;
  }
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.title), { code: body.code });
  return body;
};

let looking = false;
// An answer that was on its way while something was done tells how it was before.
let changes = 0;
const look = async () => {
  if (looking || over) return;
  looking = true;
  const before = changes;
  const state = await ask('state').catch(({ code }) => {
    if (code === 'foreign_visit') say(texts.foreign, READ_MS.wrong);
  });
  looking = false;
  if (state !== undefined && before === changes) learn(state);
};

let timer;
const poll = async () => {
  clearTimeout(timer);
  await look();
  if (over) return;
  const early = askedInMs < POLL_MS.hidden ? askedInMs : POLL_MS.hidden;
  timer = setTimeout(poll, document.hidden ? Math.max(early, POLL_MS.seen) : POLL_MS.seen);
};
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void poll();
});

const refusals = {
  extension_limit: texts.extensionLimit,
  others_wait: texts.othersWait,
  foreign_visit: texts.foreign,
  foreign_origin: texts.foreignOrigin,
  banned: texts.banned,
};
const act = async (button, path, done) => {
  if (button.hasAttribute('data-busy')) return;
  button.setAttribute('data-busy', '');
  changes += 1;
  sayWhatStands();
  try {
    const state = await ask(path, 'POST');
    changes += 1;
    if (state !== undefined) {
      learn(state);
      say(done, READ_MS.done);
    }
  } catch ({ code }) {
    say(refusals[code] ?? texts.noAnswer, READ_MS.wrong);
  }
  button.removeAttribute('data-busy');
};

extend.addEventListener('click', () => act(extend, 'extend', texts.extended));
stay.addEventListener('click', () => act(stay, 'use', texts.stays));

const dialog = (opener, name) => {
  const box = part(name);
  part(opener).addEventListener('click', () => box.showModal());
  box.querySelector('[data-close]').addEventListener('click', () => box.close());
};
dialog('share', 'share-dialog');
dialog('end', 'end-dialog');

part('copy').addEventListener('click', async () => {
  const field = part('share-address');
  field.select();
  const copied = await navigator.clipboard?.writeText(field.value).then(
    () => true,
    () => false,
  );
  part('copied').textContent = copied ? texts.copied : texts.notCopied;
});
part('end-now').addEventListener('click', async ({ currentTarget: button }) => {
  button.setAttribute('data-busy', '');
  try {
    await ask('end', 'POST');
    end();
  } catch ({ code }) {
    button.removeAttribute('data-busy');
    part('end-dialog').close();
    say(refusals[code] ?? texts.noAnswer, READ_MS.wrong);
  }
});

// The component starts the next one where this one was, or gets another for one whose host is gone: the proxy's page in
// the frame asks for that, which may lead no further than its frame.
if (embedded !== undefined && window.parent !== window) {
  part('again').addEventListener('submit', (event) => {
    event.preventDefault();
    tell({ again: true });
  });
  window.addEventListener('message', ({ source, data: asked }) => {
    if (source === frame.contentWindow && asked?.tryItNow === 'again') tell({ again: true });
  });
}

const [more, tools] = [part('more'), part('tools')];
const openTools = (open) => {
  more.setAttribute('aria-expanded', String(open));
  tools.toggleAttribute('data-open', open);
};
const closeTools = ({ type, key = 'Escape', target }) => {
  if (!tools.hasAttribute('data-open') || key !== 'Escape') return;
  if (type === 'click' && more.contains(target)) return;
  // Before what was chosen opens a dialog, which gives the focus back to where it was.
  if (tools.contains(document.activeElement)) more.focus();
  openTools(false);
};
more.addEventListener('click', () => openTools(!tools.hasAttribute('data-open')));
// They lie above the app. Into it, too, a click takes the focus from here.
for (const left of ['click', 'keydown']) document.addEventListener(left, closeTools, { capture: true });
window.addEventListener('blur', closeTools);

learn({ seconds_left: Number(secondsLeft) });
setInterval(show, 1000);
timer = setTimeout(poll, POLL_MS.seen);
