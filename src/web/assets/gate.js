/* global Worker, WorkerGlobalScope, self, btoa */
// Finds the number that, behind a salt, has the SHA-256 asked for: in a worker, on a page of ours, or for whoever
// imports it. Without Web Crypto, which pages over plain http do not have.

const SLICE = 20_000;
const START = new Int32Array(8);
const ROUNDS = new Int32Array(64);
for (let number = 2, found = 0; found < 64; number += 1) {
  let isPrime = true;
  for (let factor = 2; factor * factor <= number; factor += 1) isPrime &&= number % factor !== 0;
  if (!isPrime) continue;
  if (found < 8) START[found] = number ** (1 / 2) * 2 ** 32;
  ROUNDS[found] = number ** (1 / 3) * 2 ** 32;
  found += 1;
}

const words = new Int32Array(64);
const turn = (word, bits) => (word >>> bits) | (word << (32 - bits));

const compress = (state, bytes, at) => {
  for (let index = 0; index < 16; index += 1) {
    const byte = at + 4 * index;
    words[index] = (bytes[byte] << 24) | (bytes[byte + 1] << 16) | (bytes[byte + 2] << 8) | bytes[byte + 3];
  }
  for (let index = 16; index < 64; index += 1) {
    const [early, late] = [words[index - 15], words[index - 2]];
    words[index] =
      words[index - 16] +
      (turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)) +
      words[index - 7] +
      (turn(late, 17) ^ turn(late, 19) ^ (late >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let index = 0; index < 64; index += 1) {
    const one =
      (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[index] + words[index]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, index) => (word + state[index]) | 0);
};

// What `solve` tries one after the other: the blocks that the salt fills are taken once.
const hashesBehind = (salt) => {
  const filled = salt.length - (salt.length % 64);
  let ahead = [...START];
  const bytesOf = (text) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
  const start = bytesOf(salt);
  for (let at = 0; at < filled; at += 64) ahead = compress(ahead, start, at);
  const rest = start.subarray(filled);
  const block = new Uint8Array(128);
  return (number) => {
    const digits = String(number);
    const length = rest.length + digits.length;
    const size = length < 56 ? 64 : 128;
    block.fill(0);
    block.set(rest);
    for (let at = 0; at < digits.length; at += 1) block[rest.length + at] = digits.charCodeAt(at);
    block[length] = 0x80;
    const bits = (filled + length) * 8;
    for (let at = 0; at < 4; at += 1) block[size - 1 - at] = bits >>> (8 * at);
    let state = compress(ahead, block, 0);
    if (size === 128) state = compress(state, block, 64);
    return state;
  };
};

export const solve = async ({ algorithm, challenge, maxnumber, salt, signature }) => {
  const wanted = challenge.match(/.{8}/g).map((word) => parseInt(word, 16) | 0);
  const hash = hashesBehind(salt);
  for (let number = 0; number <= maxnumber; number += 1) {
    if (hash(number).every((word, index) => word === wanted[index]))
      return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
    if (number % SLICE === SLICE - 1) await new Promise((next) => setTimeout(next));
  }
  throw new Error('no number solves it');
};

const form = globalThis.document?.querySelector('form[data-try-it-now-challenge]');
if (typeof WorkerGlobalScope !== 'undefined')
  self.addEventListener('message', async ({ data }) => self.postMessage(await solve(data)));
else if (form) {
  const task = JSON.parse(form.dataset.tryItNowChallenge);
  const send = (solution) => {
    form.elements.altcha.value = solution;
    form.submit();
  };
  const here = () => solve(task).then(send);
  try {
    const worker = new Worker(import.meta.url, { type: 'module' });
    worker.addEventListener('message', ({ data }) => send(data));
    worker.addEventListener('error', here);
    worker.postMessage(task);
  } catch {
    void here();
  }
}
