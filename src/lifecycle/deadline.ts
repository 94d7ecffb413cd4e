/**
 * Calls `late` once `limitMs` have passed and whatever arrived by then has been handled; what this returns takes the
 * call back. A process that stood still finds its timers due before it reads its sockets, so without that second look
 * an answer that lies there would count as none. `unref`: what waits for it alone does not keep the process alive.
 */
export function atDeadline(limitMs: number, late: () => void, { unref = false } = {}): () => void {
  let look: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    look = setImmediate(late);
  }, limitMs);
  if (unref) timer.unref();
  return () => {
    clearTimeout(timer);
    clearImmediate(look);
  };
}

/** As `AbortSignal.timeout`, but with the second look of `atDeadline`. */
export function deadlineSignal(limitMs: number): AbortSignal {
  return revocableDeadline(limitMs).signal;
}

/** The same for what is done so often that deadlines of what has long ended would pile up. */
export function revocableDeadline(limitMs: number): { readonly signal: AbortSignal; readonly takeBack: () => void } {
  const controller = new AbortController();
  const late = (): void => controller.abort(new DOMException(`not within ${limitMs} ms`, 'TimeoutError'));
  return { signal: controller.signal, takeBack: atDeadline(limitMs, late, { unref: true }) };
}

/**
 * What the work comes to, or what `late` returns or throws once `limitMs` have passed. Work that is late goes on
 * unwatched: its failure is nobody's business any more.
 */
export async function withDeadline<T, Late>(limitMs: number, work: Promise<T>, late: () => Late): Promise<T | Late> {
  const tooLate = Symbol('too late');
  let takeBack = (): void => undefined;
  const limit = new Promise<typeof tooLate>((resolve) => {
    takeBack = atDeadline(limitMs, () => resolve(tooLate));
  });
  try {
    const first = await Promise.race([work, limit]);
    return first === tooLate ? late() : first;
  } finally {
    takeBack();
  }
}
