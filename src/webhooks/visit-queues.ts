/** What waits for its delivery. */
export interface Waiting {
  readonly visit: string;
  readonly position: number;
}

/**
 * Of each visit only the oldest event may be under way; the events of other visits are not held up by it. Visits that
 * were not tried yet come before those whose turn it is again.
 */
export class VisitQueues<T extends Waiting> {
  readonly #queues = new Map<string, T[]>();
  readonly #fresh = new Set<string>();
  readonly #again = new Set<string>();
  readonly #busy = new Set<string>();

  add(item: T): void {
    const queue = this.#queues.get(item.visit);
    if (queue === undefined) {
      this.#queues.set(item.visit, [item]);
      this.#fresh.add(item.visit);
      return;
    }
    // The one that is under way stays the first.
    const least = this.#busy.has(item.visit) ? 1 : 0;
    let at = queue.length;
    while (at > least && (queue[at - 1]?.position ?? 0) > item.position) at -= 1;
    queue.splice(at, 0, item);
  }

  /** Takes the oldest event of a visit that is due, and is as asked; undefined while none is. */
  next(isAsked: (oldest: T) => boolean = () => true): T | undefined {
    for (const due of [this.#fresh, this.#again])
      for (const visit of due) {
        const oldest = this.#queues.get(visit)?.[0];
        if (oldest === undefined || !isAsked(oldest)) continue;
        due.delete(visit);
        this.#busy.add(visit);
        return oldest;
      }
    return undefined;
  }

  /** Delivered or set aside: the one after it is due. */
  done({ visit }: T): void {
    this.#busy.delete(visit);
    const queue = this.#queues.get(visit);
    queue?.shift();
    if (queue === undefined || queue.length === 0) this.#queues.delete(visit);
    else this.#fresh.add(visit);
  }

  /** It is still the visit's oldest, and due again. */
  retry({ visit }: T): void {
    this.#busy.delete(visit);
    this.#again.add(visit);
  }
}
