import { makeDraggable } from './drag.js';
import { NoteSync } from './note-sync.js';

const colorNames = { sun: 'Yellow', peach: 'Peach', rose: 'Rose', lilac: 'Lilac', sky: 'Blue', mint: 'Green' };
const saveTextAfterMs = 250;

/** One sticky note on the page: shows itself, is written on, coloured and moved, and keeps the server up to date. */
export class NoteView {
  note;
  element;
  #text;
  #textTimer;
  #sync;

  constructor(note, { colors, maxTextLength, onDelete, onGone, onTrouble }) {
    this.note = note;
    this.element = document.getElementById('note-template').content.firstElementChild.cloneNode(true);
    this.#text = this.element.querySelector('.text');
    this.#text.maxLength = maxTextLength;
    this.#sync = new NoteSync(note.id, {
      onSaved: (saved) => this.accept(saved),
      onGone: () => onGone(note.id),
      onRefused: onTrouble,
    });
    this.element.style.setProperty('--tilt', `${tilt(note.id)}deg`);
    this.element.querySelector('.swatches').append(...colors.map((color) => this.#swatch(color)));
    this.element.querySelector('.delete').addEventListener('click', () => onDelete(this));
    this.#text.addEventListener('input', () => this.#typed());
    this.#text.addEventListener('blur', () => this.#saveText());
    this.#text.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.element.querySelector('.grip').focus();
    });
    makeDraggable(this.element, {
      position: () => this.note,
      move: ({ x, y }, done) => this.#moveTo(x, y, done),
      tap: () => this.focus(),
    });
    this.#render();
  }

  /** True from creation until the server has it. */
  get isUnsaved() {
    return this.note.revision === 0 && this.#sync.isBehind;
  }

  create() {
    const { text, color, x, y } = this.note;
    this.element.classList.add('fresh');
    this.#sync.create({ text, color, x, y });
  }

  delete() {
    clearTimeout(this.#textTimer);
    this.#textTimer = undefined;
    this.#sync.delete();
  }

  focus() {
    this.#text.focus({ preventScroll: true });
    this.#text.setSelectionRange(this.#text.value.length, this.#text.value.length);
  }

  /** Takes the server's word, unless something newer is on its way to it. */
  accept(note) {
    const isDragged = this.element.classList.contains('dragged');
    if (this.#sync.isBehind || this.#textTimer !== undefined || isDragged || note.revision < this.note.revision) {
      this.note = { ...this.note, revision: Math.max(note.revision, this.note.revision) };
      return;
    }
    this.note = note;
    this.#render();
  }

  #typed() {
    this.note = { ...this.note, text: this.#text.value };
    this.#fitText();
    clearTimeout(this.#textTimer);
    this.#textTimer = setTimeout(() => this.#saveText(), saveTextAfterMs);
  }

  #saveText() {
    if (this.#textTimer === undefined) return;
    clearTimeout(this.#textTimer);
    this.#textTimer = undefined;
    this.#sync.change({ text: this.note.text });
  }

  #moveTo(x, y, done) {
    this.note = { ...this.note, x, y };
    this.#place();
    if (!done) this.element.style.zIndex = String(2 ** 30);
    this.#sync.change({ x, y });
  }

  #swatch(color) {
    const swatch = document.createElement('button');
    swatch.type = 'button';
    swatch.className = `swatch paper-${color}`;
    swatch.dataset.color = color;
    swatch.setAttribute('aria-label', colorNames[color] ?? color);
    swatch.addEventListener('click', () => {
      this.note = { ...this.note, color };
      this.#render();
      this.#sync.change({ color });
    });
    return swatch;
  }

  #render() {
    const { text, color, layer } = this.note;
    if (this.#text.value !== text) {
      const { selectionStart, selectionEnd } = this.#text;
      this.#text.value = text;
      if (document.activeElement === this.#text) this.#text.setSelectionRange(selectionStart, selectionEnd);
    }
    for (const name of [...this.element.classList]) {
      if (name.startsWith('paper-')) this.element.classList.remove(name);
    }
    this.element.classList.add(`paper-${color}`);
    for (const swatch of this.element.querySelectorAll('.swatch')) {
      swatch.setAttribute('aria-pressed', String(swatch.dataset.color === color));
    }
    this.element.style.zIndex = String(layer);
    this.#place();
    this.#fitText();
  }

  #place() {
    this.element.style.setProperty('--x', String(this.note.x));
    this.element.style.setProperty('--y', String(this.note.y));
  }

  /** Long texts are written smaller; the grip's label says which note it moves. */
  #fitText() {
    const { length } = this.note.text;
    this.element.dataset.size = length > 110 ? 'small' : length > 60 ? 'medium' : 'large';
    const start = this.note.text.trim().split('\n')[0].slice(0, 30);
    this.element
      .querySelector('.grip')
      .setAttribute(
        'aria-label',
        `Move the note ${start === '' ? 'without text' : `“${start}”`}: drag, or use the arrow keys`,
      );
  }
}

/** Between -2.5 and 2.5 degrees, always the same for one note. */
function tilt(id) {
  const sum = [...id].reduce((total, character) => (total * 31 + character.charCodeAt(0)) % 1009, 7);
  return ((sum % 11) - 5) / 2;
}
