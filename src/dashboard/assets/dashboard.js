/* global document, location, fetch, CSS, EventSource */
// What pages do beyond links and forms: they show what changes, while somebody looks at them.
const main = document.querySelector('[data-stream]');
const lost = document.getElementById('lost');
const RETRY_MS = 5000;

let stream;
let lastAt = '';
/** What came for a place that was in use, so that it is not lost. */
const held = new Map();

function put(place, html) {
  // Escaped where it was made; scripts in it would not run.
  if (isInUse(place)) held.set(place, html);
  else replace(place, html);
}

/** The focus is in it, or some of it is marked, perhaps to be copied. */
function isInUse(place) {
  const marked = document.getSelection();
  return (
    place.contains(document.activeElement) ||
    (marked !== null && !marked.isCollapsed && marked.containsNode(place, true))
  );
}

/** What was unfolded stays so; its heading may have another number. */
function replace(place, html) {
  const name = (summary) => summary.textContent.replace(/\d+/g, '');
  const unfolded = new Set([...place.querySelectorAll('details[open] > summary')].map(name));
  place.innerHTML = html;
  for (const summary of place.querySelectorAll('details > summary'))
    summary.parentElement.open = unfolded.has(name(summary));
}

function release() {
  for (const [place, html] of [...held]) {
    held.delete(place);
    put(place, html);
  }
}

function show(fragments) {
  for (const [key, html] of Object.entries(fragments))
    for (const place of document.querySelectorAll(`[data-live="${CSS.escape(key)}"]`)) put(place, html);
  if ('clock' in fragments) lastAt = fragments.clock;
  lost.hidden = true;
}

function open() {
  if (stream !== undefined) return;
  stream = new EventSource(main.dataset.stream);
  stream.onmessage = ({ data }) => show(JSON.parse(data));
  stream.addEventListener('ended', () => location.reload());
  stream.onerror = () => {
    lost.textContent = `The server does not answer. ${age()}`;
    lost.hidden = false;
    // After a refusal the browser does not try again.
    if (stream?.readyState === EventSource.CLOSED) void comeBack();
  };
}

function age() {
  const since = lastAt === '' ? 'when this page was opened' : lastAt;
  return `What is shown is from ${since}; it goes on by itself.`;
}

function close() {
  stream?.close();
  stream = undefined;
}

/** To the page to log in at, if that is why. */
async function comeBack() {
  close();
  const answer = await fetch(location.href, {
    method: 'HEAD',
    redirect: 'manual',
    headers: { accept: 'text/html' },
  }).catch(() => undefined);
  // It is there, and says why on a page of its own.
  if (answer !== undefined)
    lost.textContent = `The server answers, but cannot show more now (${answer.status}). ${age()}`;
  if (answer?.type === 'opaqueredirect') location.reload();
  else setTimeout(() => !document.hidden && open(), RETRY_MS);
}

if (main !== null) {
  document.addEventListener('focusout', () => setTimeout(release));
  document.addEventListener('selectionchange', release);
  // A browser keeps few connections to one server, so pages that nobody looks at hold none.
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  if (!document.hidden) open();
}
