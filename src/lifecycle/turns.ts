export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/** Each begins when the one before it has ended, however it did. */
export function turns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}
