/**
 * What the work comes to, or what `late` returns or throws once `limitMs` have passed. Work that is late goes on
 * unwatched: its failure is nobody's business any more.
 */
export async function withDeadline<T, Late>(limitMs: number, work: Promise<T>, late: () => Late): Promise<T | Late> {
  const tooLate = Symbol('too late');
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<typeof tooLate>((resolve) => {
    timer = setTimeout(resolve, limitMs, tooLate);
  });
  try {
    const first = await Promise.race([work, limit]);
    return first === tooLate ? late() : first;
  } finally {
    clearTimeout(timer);
  }
}
