import { setMaxListeners } from 'node:events';

/** Follows other signals until it is disposed of. */
export interface Either extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * A signal that is aborted as soon as one of these is, with its reason. In place of `AbortSignal.any`, of which Node 20
 * keeps an entry at each source for as long as that lives: this one has left all of them once it is aborted or disposed
 * of. What goes on after that is told of nothing any more.
 */
export function eitherOf(...given: readonly (AbortSignal | undefined)[]): Either {
  const sources = given.filter((source) => source !== undefined);
  const either = new AbortController();
  const leave = (): void => {
    for (const source of sources) source.removeEventListener('abort', follow);
  };
  const follow = (): void => {
    leave();
    either.abort(sources.find(({ aborted }) => aborted)?.reason);
  };
  if (sources.some(({ aborted }) => aborted)) follow();
  else {
    // Many may follow one at a time, each for as long as its work lasts.
    setMaxListeners(0, ...sources);
    for (const source of sources) source.addEventListener('abort', follow);
  }
  return { signal: either.signal, [Symbol.dispose]: leave };
}
