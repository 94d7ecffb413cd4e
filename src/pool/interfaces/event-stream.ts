import type { StreamEvent } from '../../domain/visit-event.ts';

/** Where events are kept for those who want to hear of them. */
export interface EventStream {
  /** Returns once it is stored; again with the same id stores nothing for a while. Throws queue_unavailable. */
  publish(event: StreamEvent): Promise<void>;
}
