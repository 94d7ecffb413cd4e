import type { LeftoverTask } from './task-queue.ts';

/** What is queued for nodes, whether or not they are there to take it. */
export interface NodeQueue {
  /**
   * Provision tasks, handed out or not, of nodes that `keep` says no to. At most some hundreds at a time. Throws
   * queue_unavailable.
   */
  recallable(keep: (node: string) => boolean): Promise<readonly (LeftoverTask & { readonly node: string })[]>;
  /** Takes out what waits for the node, and what workers there would pull from. Throws queue_unavailable. */
  forgetNode(node: string): Promise<void>;
}
