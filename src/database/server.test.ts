import { expect, it } from 'vitest';
import { SERVER_PATIENCE } from './server.ts';

// The tests of a server that hangs shorten it, so what it is without that is held here.
it('gives a statement ten seconds, two more than the server waits for a lock', () => {
  expect(SERVER_PATIENCE).toEqual({ answerMs: 10_000, lockWaitS: 8, silenceS: 15 });
});
