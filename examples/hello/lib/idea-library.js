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

  /** Reads every idea: seconds for the whole library, which `limit` bounds. */
  static async build({ limit, onProgress }) {
    const size = Math.min(limit, deeds.length * people.length * places.length * twists.length);
    const postings = new Map();
    let entries = 0;
    let sliceEnd = performance.now() + sliceMs;
    for (let number = 0; number < size; number += 1) {
      for (const word of new Set(wordsOf(ideaAt(number)))) {
        if (!postings.has(word)) postings.set(word, new NumberList());
        postings.get(word).push(number);
        entries += 1;
      }
      if (number % 256 === 0 && performance.now() > sliceEnd) {
        await nextTurn();
        sliceEnd = performance.now() + sliceMs;
      }
    }
    onProgress('search index built', { ideas: size, words: postings.size, entries });
    return new IdeaLibrary(size, new Map([...postings].map(([word, list]) => [word, list.numbers()])));
  }

  /**
   * A handful of ideas that contain all the words asked for, newly drawn each time with `randomInt(limit)`; of all
   * ideas when no word is given.
   */
  search(query, randomInt) {
    const words = wordsOf(query);
    // Per idea, how many of the words in a row it has had so far; in the end those count that have had all.
    const had = new Uint8Array(this.size);
    for (const [turn, word] of words.entries()) {
      for (const known of this.#wordsLike(word)) {
        for (const number of this.#postings.get(known)) {
          if (had[number] === turn) had[number] = turn + 1;
        }
      }
    }
    const found = new NumberList();
    for (let number = 0; number < this.size; number += 1) {
      if (had[number] === words.length) found.push(number);
    }
    return { query, total: found.size, ideas: draw(found.numbers(), randomInt).map(ideaAt) };
  }

  #wordsLike(word) {
    const beginning = this.#vocabulary.filter((known) => known.startsWith(word));
    if (beginning.length > 0 || word.length < 3) return beginning;
    return this.#vocabulary.filter((known) => differsByOne(word, known));
  }
}

/** A list of numbers that grows, at four bytes a number where an array of Node takes eight. */
class NumberList {
  size = 0;
  #room = new Uint32Array(64);

  push(number) {
    if (this.size === this.#room.length) {
      const larger = new Uint32Array(2 * this.size);
      larger.set(this.#room);
      this.#room = larger;
    }
    this.#room[this.size] = number;
    this.size += 1;
  }

  numbers() {
    return this.#room.subarray(0, this.size);
  }
}

/** A few of the numbers, each at most once. */
function draw(numbers, randomInt) {
  const picked = new Set();
  while (picked.size < Math.min(shown, numbers.length)) picked.add(numbers[randomInt(numbers.length)]);
  return [...picked];
}

/** The ideas in their order: the deed turns fastest, the twist slowest. */
function ideaAt(number) {
  const deed = deeds[number % deeds.length];
  let rest = Math.floor(number / deeds.length);
  const person = people[rest % people.length];
  rest = Math.floor(rest / people.length);
  return `${deed} for ${person} ${places[rest % places.length]}, ${twists[Math.floor(rest / places.length)]}.`;
}

/** True when one letter less, more or other, or two neighbours swapped, makes one word the other's beginning. */
function differsByOne(typed, word) {
  if (word.length < typed.length - 1) return false;
  let same = 0;
  while (same < typed.length && typed[same] === word[same]) same += 1;
  const rest = typed.slice(same);
  const wordRest = word.slice(same);
  return (
    wordRest.startsWith(rest.slice(1)) ||
    wordRest.slice(1).startsWith(rest) ||
    wordRest.slice(1).startsWith(rest.slice(1)) ||
    (rest.length > 1 &&
      wordRest[0] === rest[1] &&
      wordRest[1] === rest[0] &&
      wordRest.slice(2).startsWith(rest.slice(2)))
  );
}
