import { NoteView } from './note-view.js';
import { openIdeas } from './ideas-panel.js';
import { followBoard } from './live-board.js';

const element = (id) => document.getElementById(id);
const data = JSON.parse(element('board-data').textContent);
const views = new Map();

const newId = () =>
  [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

function show(note) {
  const view = views.get(note.id);
  if (view !== undefined) return view.accept(note);
  const made = new NoteView(note, {
    colors: data.colors,
    maxTextLength: data.maxTextLength,
    onDelete: remove,
    onGone: drop,
    onTrouble: complain,
  });
  views.set(note.id, made);
  element('notes').append(made.element);
  element('empty').hidden = true;
}

function drop(id) {
  views.get(id)?.element.remove();
  views.delete(id);
  element('empty').hidden = views.size > 0;
}

const noteSize = () => Number.parseFloat(getComputedStyle(element('board')).getPropertyValue('--note'));

/** The place among a few dozen tried that keeps the most distance from the notes already there. */
function freePlace() {
  const size = noteSize();
  const { width, height } = element('notes').getBoundingClientRect();
  const taken = [...views.values()].map(({ note }) => note);
  const clearance = ({ x, y }) =>
    Math.min(
      ...taken.map((note) => Math.hypot((note.x - x) * (width - size), (note.y - y) * (height - size))),
      1.4 * size, // enough to touch nothing, whichever way it lies
    );
  const tried = Array.from({ length: 60 }, () => ({ x: 0.03 + Math.random() * 0.94, y: 0.03 + Math.random() * 0.94 }));
  return tried.reduce((best, place) => (clearance(place) > clearance(best) ? place : best));
}

function nextColor() {
  const uses = (color) => [...views.values()].filter(({ note }) => note.color === color).length;
  return data.colors.reduce((best, color) => (uses(color) < uses(best) ? color : best));
}

function add(fields = {}) {
  const layer = 1 + Math.max(0, ...[...views.values()].map(({ note }) => note.layer));
  const note = { id: newId(), text: '', color: nextColor(), ...freePlace(), layer, revision: 0, ...fields };
  show(note);
  const view = views.get(note.id);
  view.create();
  view.element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  return view;
}

let undoTimer;
function remove(view) {
  const { text, color, x, y } = view.note;
  view.delete();
  drop(view.note.id);
  element('toast-text').textContent = 'Note deleted';
  element('toast').hidden = false;
  element('toast-undo').onclick = () => {
    element('toast').hidden = true;
    add({ text, color, x, y }).focus();
  };
  clearTimeout(undoTimer);
  undoTimer = setTimeout(() => {
    element('toast').hidden = true;
  }, 7000);
  element('add').focus({ preventScroll: true });
}

function complain(message) {
  element('away').textContent = message;
  element('away').hidden = message === '';
}

function showAll(notes) {
  const known = new Set(notes.map(({ id }) => id));
  for (const [id, view] of views) {
    if (!known.has(id) && !view.isUnsaved) drop(id);
  }
  notes.forEach(show);
  element('empty').hidden = views.size > 0;
}

showAll(data.notes);

element('add').addEventListener('click', () => add().focus());
element('board').addEventListener('dblclick', (event) => {
  if (event.target.closest('.note') !== null) return;
  const box = element('board').getBoundingClientRect();
  const size = noteSize();
  const share = (at, start, length) => Math.min(1, Math.max(0, (at - start - size / 2) / (length - size)));
  add({ x: share(event.clientX, box.left, box.width), y: share(event.clientY, box.top, box.height) }).focus();
});
element('ideas-open').addEventListener('click', () => openIdeas((text) => add({ text })));

const since = new Date(element('since').dateTime);
element('since').textContent = since.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
element('since').title = since.toLocaleString();

followBoard({
  onBoard({ name, notes }) {
    element('name').textContent = name;
    document.title = document.title.replace(/^.*(?= · )/, () => name);
    showAll(notes);
  },
  onNote: show,
  onRemoved: drop,
  onWindows(count) {
    element('live').dataset.state = 'open';
    element('live-text').textContent = count === 1 ? '1 window open' : `${count} windows open`;
    complain('');
  },
  onLost() {
    element('live').dataset.state = 'lost';
    element('live-text').textContent = 'Not connected';
  },
  onGone: () =>
    complain('This board cannot be reached. If its time is up, it is gone for good, and all its notes with it.'),
});
