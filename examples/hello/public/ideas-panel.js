const searchAfterMs = 120;

const dialog = document.getElementById('ideas');
const query = document.getElementById('ideas-query');
const list = document.getElementById('idea-list');
const count = document.getElementById('ideas-count');
let onPick = () => {};
let timer;
let latest = 0;

/** Opens the panel; `pick` is called with the text of each idea chosen. */
export function openIdeas(pick) {
  onPick = pick;
  dialog.showModal();
  query.select();
  void search();
}

async function search() {
  clearTimeout(timer);
  latest += 1;
  const turn = latest;
  let found;
  try {
    const response = await fetch(`/api/ideas?q=${encodeURIComponent(query.value)}`);
    if (!response.ok) return;
    found = await response.json();
  } catch {
    count.textContent = 'The board cannot be reached.';
    return;
  }
  // An answer that was overtaken by a later search is of no interest any more.
  if (turn !== latest) return;
  const total = found.total.toLocaleString('en');
  count.textContent =
    query.value.trim() === ''
      ? `${total} ideas, indexed when this container started`
      : `${total} ${found.total === 1 ? 'idea' : 'ideas'} found`;
  list.replaceChildren(...found.ideas.map(item));
}

function item(text) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'idea';
  button.textContent = text;
  button.addEventListener('click', () => {
    dialog.close();
    onPick(text);
  });
  const entry = document.createElement('li');
  entry.append(button);
  return entry;
}

query.addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(() => void search(), searchAfterMs);
});
document.getElementById('ideas-shuffle').addEventListener('click', () => void search());
// A click beside the panel closes it.
dialog.addEventListener('click', (event) => {
  if (event.target === dialog) dialog.close();
});
