import { EventEmitter } from 'node:events';
import { Refusal } from './refusal.js';

export const colors = ['sun', 'peach', 'rose', 'lilac', 'sky', 'mint'];
export const maxNotes = 100;
export const maxTextLength = 240;
const idPattern = /^[a-z0-9]{8,32}$/;

/** What a visitor finds on a new board. Positions are shares (0..1) of the free way, so they fit every window. */
const welcome = [
  {
    id: 'welcome0one',
    text: 'Hello! This board was started for you alone. Write on it, move things around, make a mess.',
    color: 'sun',
    x: 0.06,
    y: 0.06,
  },
  {
    id: 'welcome0two',
    text: 'Drag me. Then open this page in a second window and watch me move there too.',
    color: 'sky',
    x: 0.62,
    y: 0.42,
  },
  { id: 'welcome0six', text: 'Out of words? Press “Ideas”.', color: 'rose', x: 0.2, y: 0.8 },
];

/**
 * The notes of one visitor, in memory. Emits `change` with `{ type: 'note', note }` or `{ type: 'removed', id }` after
 * every change, and `renamed`. Refusals carry the HTTP status they stand for.
 */
export class Board extends EventEmitter {
  #notes = new Map();
  #revision = 0;

  /** `saved` is what `toJSON` gave earlier, or a new board's name alone. */
  constructor(saved) {
    super();
    this.name = saved.name;
    this.#revision = saved.revision ?? 0;
    for (const note of saved.notes ?? welcome) this.#notes.set(note.id, { revision: 0, layer: 0, ...note });
  }

  rename(name) {
    this.name = name;
    this.#revision += 1;
    this.emit('renamed');
  }

  notes() {
    return [...this.#notes.values()];
  }

  /** Creates the note or replaces it; the caller chooses the id, so a repeated request does no harm. */
  put(id, fields) {
    if (!idPattern.test(id))
      throw new Refusal(400, 'bad_id', 'The id of a note must be 8 to 32 of the characters a-z and 0-9.');
    const isNew = !this.#notes.has(id);
    if (isNew && this.#notes.size >= maxNotes) {
      throw new Refusal(409, 'board_full', `A board holds ${maxNotes} notes. Delete one to make room.`);
    }
    const checked = checkFields(fields);
    for (const name of ['text', 'color', 'x', 'y']) {
      if (!(name in checked)) throw new Refusal(400, 'missing_field', `The field ${name} is missing.`);
    }
    return { isNew, note: this.#store({ id, ...checked, layer: this.#revision + 1 }) };
  }

  /** Changes the fields given and keeps the others. A note that is moved comes to lie on top. */
  change(id, fields) {
    const note = this.#existing(id);
    const checked = checkFields(fields);
    if (Object.keys(checked).length === 0)
      throw new Refusal(400, 'missing_field', 'Give at least one of text, color, x and y.');
    const moved = 'x' in checked || 'y' in checked;
    return this.#store({ ...note, ...checked, layer: moved ? this.#revision + 1 : note.layer });
  }

  remove(id) {
    this.#existing(id);
    this.#notes.delete(id);
    this.#revision += 1;
    this.emit('change', { type: 'removed', id });
  }

  toJSON() {
    return { name: this.name, revision: this.#revision, notes: this.notes() };
  }

  #existing(id) {
    const note = this.#notes.get(id);
    if (note === undefined) throw new Refusal(404, 'no_such_note', 'There is no such note on this board.');
    return note;
  }

  #store(note) {
    this.#revision += 1;
    const stored = { ...note, revision: this.#revision };
    this.#notes.set(stored.id, stored);
    this.emit('change', { type: 'note', note: stored });
    return stored;
  }
}

function checkFields(fields) {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new Refusal(400, 'bad_body', 'The body must be a JSON object.');
  }
  const checked = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'text') checked.text = checkText(value);
    else if (name === 'color') checked.color = checkColor(value);
    else if (name === 'x' || name === 'y') checked[name] = checkShare(name, value);
    else
      throw new Refusal(
        400,
        'unknown_field',
        `A note has text, color, x and y, but no field ${JSON.stringify(name.slice(0, 40))}.`,
      );
  }
  return checked;
}

function checkText(value) {
  if (typeof value !== 'string') throw new Refusal(400, 'bad_text', 'The text of a note must be a string.');
  // Line breaks stay; other control characters have no place on paper.
  const text = value.replace(/\r\n?/g, '\n').replace(/[^\P{Cc}\n]/gu, '');
  if (text.length > maxTextLength)
    throw new Refusal(400, 'bad_text', `A note holds ${maxTextLength} characters; this text has ${text.length}.`);
  return text;
}

function checkColor(value) {
  if (!colors.includes(value)) throw new Refusal(400, 'bad_color', `The color must be one of ${colors.join(', ')}.`);
  return value;
}

function checkShare(name, value) {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
    throw new Refusal(400, 'bad_position', `The position ${name} must be a number from 0 to 1.`);
  }
  return Math.round(value * 1e4) / 1e4;
}

/** True when it is a board as `toJSON` writes it; a file may have been cut short or changed by hand. */
export function isSavedBoard(value) {
  try {
    return (
      typeof value.name === 'string' &&
      Number.isSafeInteger(value.revision) &&
      value.notes.length <= maxNotes &&
      value.notes.every(({ id, text, color, x, y, layer, revision }) => {
        checkFields({ text, color, x, y });
        return idPattern.test(id) && Number.isSafeInteger(layer) && Number.isSafeInteger(revision);
      })
    );
  } catch {
    return false;
  }
}
