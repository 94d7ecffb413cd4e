/* global SEED, Blob */
// Run in every thread of Node that a clone has, as a script of its own: what Node and V8 keep of random numbers drawn
// before the dump is used up or replaced. SEED stands for four whole numbers of 32 bits.
try {
  (() => {
    // The address of a blob is made with Node's store of UUIDs, which is thus used up: 128 of them.
    for (let left = 128; left > 0; left -= 1) URL.revokeObjectURL(URL.createObjectURL(new Blob([])));
    // randomInt draws from a store of 1,024 numbers.
    const crypto = process.getBuiltinModule?.('node:crypto') ?? process.mainModule?.require('node:crypto');
    for (let left = 1024; left > 0; left -= 1) crypto?.randomInt(2);
    // V8 seeds Math.random once for each context. In its place: sfc32, by Chris Doty-Humphrey.
    let [a, b, c, counter] = SEED;
    const draw = () => {
      const drawn = (((a + b) | 0) + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + drawn) | 0;
      return drawn >>> 0;
    };
    for (let left = 15; left > 0; left -= 1) draw();
    const { random } = { random: () => ((draw() >>> 5) * 2 ** 26 + (draw() >>> 6)) / 2 ** 53 };
    Object.defineProperty(Math, 'random', { value: random, writable: true, configurable: true, enumerable: false });
  })();
} catch {
  // A clone in which this fails has what it had; two that give the same answers are told apart by the verification.
}
