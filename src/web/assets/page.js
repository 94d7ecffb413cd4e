/* global document, window, location, navigator, fetch, performance, setInterval, clearInterval, URLSearchParams */
// Everything here only makes smoother what works without it: the forms, the waiting page and its refresh.

const { lang } = document.documentElement;
const unit = (value, name) =>
  new Intl.NumberFormat(lang, { style: 'unit', unit: name, unitDisplay: 'short' }).format(value);

// As the server writes it.
const duration = (seconds) => {
  if (seconds < 120) return unit(seconds, 'second');
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return unit(minutes, 'minute');
  const hours = unit(Math.floor(minutes / 60), 'hour');
  if (minutes % 60 === 0) return hours;
  return new Intl.ListFormat(lang, { type: 'unit', style: 'narrow' }).format([hours, unit(minutes % 60, 'minute')]);
};

/** Browsers tell nobody that they gave up on a page, or that they show it in another tab. */
const BUSY_MS = 10_000;

const markBusy = (form) => {
  const button = form.querySelector('button');
  const { textContent: label } = button;
  button.toggleAttribute('data-busy', true);
  button.textContent = form.dataset.try;
  window.setTimeout(() => {
    button.removeAttribute('data-busy');
    button.textContent = label;
  }, BUSY_MS);
};

for (const form of document.querySelectorAll('form[data-try]')) {
  form.addEventListener('submit', (event) => {
    if (form.querySelector('button').hasAttribute('data-busy')) event.preventDefault();
    else markBusy(form);
  });
}

// A click that came from another site.
const again = document.querySelector('form[data-again]');
if (again !== null) {
  markBusy(again);
  again.submit();
}

// Who points at a button, or focuses it, is about to click: what the click will need comes ahead of it. A frame, since
// browsers keep the connections of frames apart from a page's own where the two are of different sites.
const ahead = document.querySelector('[data-ahead]');
let came = false;
const comeAhead = ({ isTrusted }) => {
  if (came || !isTrusted) return;
  came = true;
  const { ahead: files, connect } = ahead.dataset;
  for (const url of files.split(' ').filter(Boolean)) void fetch(url).catch(() => undefined);
  if (connect === undefined) return;
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.referrerPolicy = 'no-referrer';
  frame.src = connect;
  document.body.append(frame);
};
for (const button of ahead?.querySelectorAll('[data-try] button') ?? [])
  for (const intent of ['pointerenter', 'focus']) button.addEventListener(intent, comeAhead);

// A browser is forgotten a day after it was heard of last, and what it takes then is nobody's. Asked first, since a
// page that cannot come anew stays better as it is.
const HALF_DAY_MS = 43_200_000;
const HOUR_MS = 3_600_000;
const cameAt = Date.now();
const comeAnew = async () => {
  if (ahead === null || Date.now() - cameAt < HALF_DAY_MS) return;
  const { ok } = await fetch(location.href).catch(() => ({ ok: false }));
  if (ok) location.reload();
};
setInterval(comeAnew, HOUR_MS);
document.addEventListener('visibilitychange', comeAnew);

// What became of a click is told once, and neither by a reload nor on the way back.
const shown = new URL(location.href);
if (shown.searchParams.has('notice')) {
  shown.searchParams.delete('notice');
  window.history.replaceState(null, '', shown);
}

// Back from an instance to a page the browser kept: what it shows is old.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

const countDown = (element) => {
  const shown = element.querySelector('[data-time-left]');
  const total = Number(element.dataset.secondsLeft);
  const shownAt = performance.now();
  const timer = setInterval(() => {
    const left = Math.max(0, Math.ceil(total - (performance.now() - shownAt) / 1000));
    shown.textContent = duration(left);
    if (left > 0) return;
    clearInterval(timer);
    location.replace('/');
  }, 1000);
};
document.querySelectorAll('[data-seconds-left]').forEach(countDown);

const LISTEN_MS = 10_000;
/** Who stops waiting does not wait longer for that. */
const ANSWER_MS = 5_000;

// All tabs of a browser have one place in the line, and one copy: each that waits holds a lock until it stops. Returns
// what stops, and says whether others wait. Without locks, as over plain http, nobody knows of others. A page that is
// left holds none: browsers may keep it, out of sight, and it is loaded again where somebody comes back to it.
const holdPlace = (name) => {
  const { locks } = navigator;
  let stop;
  const stopped = new Promise((over) => (stop = over));
  const held = locks?.request(name, { mode: 'shared' }, () => stopped).catch(() => undefined);
  window.addEventListener('pagehide', stop);
  return async () => {
    stop();
    await held;
    return locks?.request(name, { ifAvailable: true }, (lock) => lock === null).catch(() => false);
  };
};

// The events keep the place and say when its turn has come; without them, the page asks again each second. A stream
// that goes silent, or a wait that has become too long, shows when the page asks all the same.
const listen = (eventsUrl, progress) =>
  new Promise((heard) => {
    const events = new window.EventSource(eventsUrl);
    const over = () => {
      events.close();
      heard();
    };
    events.addEventListener('place', ({ data }) => {
      const { progress: text } = JSON.parse(data);
      if (progress.textContent !== text) progress.textContent = text;
    });
    for (const name of ['turn', 'gone', 'error']) events.addEventListener(name, over);
    window.setTimeout(over, LISTEN_MS);
  });

const waitForInstance = (panel) => {
  const elapsed = panel.querySelector('[data-elapsed]');
  const progress = panel.querySelector('[data-progress]');
  const { tryUrl, eventsUrl, visitor, since, waited, noAnswer, noConnection } = panel.dataset;
  const shownAt = performance.now();
  const timer = setInterval(() => {
    elapsed.textContent = duration(Math.floor(Number(waited) + (performance.now() - shownAt) / 1000));
  }, 1000);
  const ask = async () => {
    const answer = await fetch(tryUrl, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams({ visitor, since }),
    });
    if (answer.ok) return answer.json();
    // A refusal (a limit, a pause, a pool of none) has a page of its own: the browser gets it by asking as a browser.
    const { code } = await answer.json().catch(() => ({}));
    if (answer.status < 500 || code === 'pool_paused' || code === 'pool_empty') return { state: 'refused' };
    return { state: 'waiting', progress: noAnswer };
  };
  const form = panel.querySelector('form');
  const stopHolding = holdPlace(`${form.action} ${visitor}`);
  let left = false;
  let asking;
  // Stopping a question that is on its way does not stop its answer: what that gives goes back as well.
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    left = true;
    const othersWait = await stopHolding();
    if (othersWait) {
      location.assign('/');
      return;
    }
    const late = new Promise((over) => window.setTimeout(over, ANSWER_MS, {}));
    const { state, again: before } = await Promise.race([asking, late]);
    if (state === 'ready' && !before) form.action = form.dataset.end;
    form.submit();
  });
  const poll = async () => {
    asking = ask().catch(() => ({ state: 'waiting', progress: noConnection }));
    const { state, url, progress: text } = await asking;
    if (left) return;
    if (state === 'waiting') {
      if (progress.textContent !== text) progress.textContent = text;
      await Promise.all([
        window.EventSource && listen(eventsUrl, progress),
        new Promise((later) => window.setTimeout(later, 1000)),
      ]);
      window.setTimeout(poll);
      return;
    }
    clearInterval(timer);
    if (state === 'ready') location.replace(url);
    else location.reload();
  };
  void poll();
};
document.querySelectorAll('[data-waiting]').forEach(waitForInstance);
