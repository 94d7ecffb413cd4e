/* global document, location, fetch, CSS, EventSource */
// What pages do beyond links and forms: they show what changes, while somebody looks at them.
const main = document.querySelector('[data-stream]');
const lost = document.getElementById('lost');
const RETRY_MS = 5000;

let stream;
let lastAt = '';
/** What came for a place that the focus was in, so that it is not lost. */
const held = new Map();

function put(place, html) {
  // Escaped where it was made; scripts in it would not run.
  if (place.contains(document.activeElement)) held.set(place, html);
  else place.innerHTML = html;
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
    const since = lastAt === '' ? 'when this page was opened' : lastAt;
    lost.textContent = `The server does not answer. What is shown is from ${since}; it goes on by itself.`;
    lost.hidden = false;
    // After a refusal the browser does not try again.
    if (stream?.readyState === EventSource.CLOSED) void comeBack();
  };
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
  if (answer?.type === 'opaqueredirect') location.reload();
  else setTimeout(() => !document.hidden && open(), RETRY_MS);
}

if (main !== null) {
  document.addEventListener('focusout', () =>
    setTimeout(() => {
      for (const [place, html] of [...held]) {
        held.delete(place);
        put(place, html);
      }
    }),
  );
  // A browser keeps few connections to one server, so pages that nobody looks at hold none.
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  if (!document.hidden) open();
}
