import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deeds, people, places, twists } from './idea-words.js';

const shown = 6;
/** Between two slices of work the process can hear a signal. */
const sliceMs = 25;

const wordPattern = /[\p{L}\p{N}]+(?:[’'-][\p{L}\p{N}]+)*/gu;
const wordsOf = (text) => text.toLowerCase().match(wordPattern) ?? [];

/**
 * All ideas, numbered, with a full-text index over them: for every word the numbers of the ideas it occurs in. Search
 * takes beginnings of words and forgives a typing error.
 */
export class IdeaLibrary {
  #postings;
  #vocabulary;

  constructor(size, postings) {
    this.size = size;
    this.#postings = postings;
    this.#vocabulary = [...postings.keys()].sort();
  }

  /** Reads every idea twice: once to measure the index, once to fill it. Seconds for the whole library; `limit` bounds it. */
  static async build({ limit, onProgress }) {
    const size = Math.min(limit, deeds.length * people.length * places.length * twists.length);
    const pace = createPace();

    const counts = new Map();
    for (let number = 0; number < size; number += 1) {
      for (const word of new Set(wordsOf(ideaAt(number)))) counts.set(word, (counts.get(word) ?? 0) + 1);
      await pace();
    }
    onProgress('ideas read', { ideas: size, words: counts.size });

    const postings = new Map([...counts].map(([word, count]) => [word, new Uint32Array(count)]));
    const filled = new Map();
    for (let number = 0; number < size; number += 1) {
      for (const word of new Set(wordsOf(ideaAt(number)))) {
        const at = filled.get(word) ?? 0;
        postings.get(word)[at] = number;
        filled.set(word, at + 1);
      }
      await pace();
    }
    const bytes = [...postings.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    onProgress('search index built', { MiB: Math.round(bytes / 2 ** 20) });
    return new IdeaLibrary(size, postings);
  }

  /** A handful of ideas that contain all the words asked for, drawn anew each time; of all ideas when no word is given. */
  search(query) {
    const words = wordsOf(query);
    if (words.length === 0) return { query, total: this.size, ideas: this.#draw(this.size, (at) => at) };
    let found;
    for (const word of words) {
      const hits = this.#ideasWith(word);
      found = found === undefined ? hits : intersect(found, hits);
    }
    return { query, total: found.length, ideas: this.#draw(found.length, (at) => found[at]) };
  }

  #ideasWith(word) {
    const exact = this.#vocabulary.filter((known) => known.startsWith(word));
    const known = exact.length > 0 || word.length < 3 ? exact : this.#vocabulary.filter((other) => differsByOne(word, other));
    return known.map((each) => this.#postings.get(each)).reduce(unite, new Uint32Array());
  }

  #draw(count, numberAt) {
    const picked = new Set();
    while (picked.size < Math.min(shown, count)) picked.add(randomInt(count));
    return [...picked].map((at) => ideaAt(numberAt(at)));
  }
}

/** The ideas in their order: the deed turns fastest, the twist slowest. */
function ideaAt(number) {
  const deed = deeds[number % deeds.length];
  let rest = Math.floor(number / deeds.length);
  const person = people[rest % people.length];
  rest = Math.floor(rest / people.length);
  return `${deed} for ${person} ${places[rest % places.length]}, ${twists[Math.floor(rest / places.length)]}.`;
}

/** Lets the event loop breathe once a slice of work is done; free of cost in between. */
function createPace() {
  const done = Promise.resolve();
  let calls = 0;
  let sliceEnd = performance.now() + sliceMs;
  return () => {
    calls += 1;
    if (calls % 256 !== 0 || performance.now() < sliceEnd) return done;
    return nextTurn().then(() => {
      sliceEnd = performance.now() + sliceMs;
    });
  };
}

function intersect(left, right) {
  const both = [];
  let at = 0;
  for (const number of left) {
    while (right[at] < number) at += 1;
    if (right[at] === number) both.push(number);
  }
  return both;
}

function unite(left, right) {
  if (left.length === 0) return right;
  const all = new Uint32Array(left.length + right.length);
  let size = 0;
  let atLeft = 0;
  let atRight = 0;
  while (atLeft < left.length || atRight < right.length) {
    const next = Math.min(left[atLeft] ?? Infinity, right[atRight] ?? Infinity);
    if (left[atLeft] === next) atLeft += 1;
    if (right[atRight] === next) atRight += 1;
    all[size] = next;
    size += 1;
  }
  return all.subarray(0, size);
}

/** True when one letter less, more or other, or two neighbours swapped, makes one word the other's beginning. */
function differsByOne(typed, word) {
  if (word.length < typed.length - 1) return false;
  let same = 0;
  while (same < typed.length && typed[same] === word[same]) same += 1;
  const rest = typed.slice(same);
  const wordRest = word.slice(same);
  return wordRest.startsWith(rest.slice(1))
    || wordRest.slice(1).startsWith(rest)
    || wordRest.slice(1).startsWith(rest.slice(1))
    || (rest.length > 1 && wordRest[0] === rest[1] && wordRest[1] === rest[0] && wordRest.slice(2).startsWith(rest.slice(2)));
}
