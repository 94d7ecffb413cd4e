const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text) => text.replace(/[&<>"']/g, (character) => entities[character]);

/** Fills the page's `{{places}}`. The board goes along as data, so the first view needs no second request. */
export function renderPage(template, { board, container, startedAt, ideaCount, settings }) {
  const values = {
    name: escapeHtml(board.name),
    container: escapeHtml(container),
    startedAt,
    startedAtText: `${startedAt.slice(0, 16).replace('T', ' ')} UTC`,
    ideaCount: ideaCount.toLocaleString('en'),
    // Inside a script element only `<` could end the data early.
    data: JSON.stringify({ ...board.toJSON(), ...settings }).replace(/</g, '\\u003c'),
  };
  return template.toString().replace(/\{\{(\w+)\}\}/g, (_, place) => values[place]);
}
