import { readFile } from 'node:fs/promises';
import { constants, getPriority, setPriority } from 'node:os';
import type { Log } from '../domain/log.ts';
import { prioritize } from '../lifecycle/priority.ts';
import type { SessionBounds } from './server.ts';

/** The kernel counts in these for everybody (USER_HZ). */
const TICK_MS = 10;
const LAST = constants.priority.PRIORITY_LOW;

/** A session, and the thread or process of the server that works for it. */
export interface Working {
  readonly user: string;
  readonly thread: number;
}

/**
 * What a database server computes is within no instance's limit of processors. So who has it compute for long comes
 * after the others on this server, until they have rested: the kernel runs their threads when no other wants to run.
 * Does nothing where the threads are not to be seen, or we may not say what runs first.
 */
export class FairShare {
  readonly #program: string;
  readonly #bounds: SessionBounds;
  /** What each user has used beyond the share that anybody may use for ever (ms). */
  readonly #used = new Map<string, number>();
  #computed: ReadonlyMap<number, number> = new Map();
  /** Those that were put last, with what they had before. */
  readonly #last = new Map<number, number>();
  #lookedAt: number | undefined;

  constructor(program: string, bounds: SessionBounds) {
    this.#program = program;
    this.#bounds = bounds;
  }

  /** Whoever comes after the others from now on. */
  async look(sessions: readonly Working[], nowMs: number): Promise<readonly string[]> {
    const { processorMs, processorShare } = this.#bounds;
    const restMs = (nowMs - (this.#lookedAt ?? nowMs)) * processorShare;
    this.#lookedAt = nowMs;
    const before = new Set([...this.#used].filter(([, ms]) => ms > processorMs).map(([user]) => user));
    for (const [user, ms] of this.#used) {
      if (ms > restMs) this.#used.set(user, Math.min(ms, 2 * processorMs) - restMs);
      else this.#used.delete(user);
    }
    const computed = new Map<number, number>();
    for (const { user, thread } of sessions) {
      const ms = await this.#computedMs(thread);
      if (ms === undefined) continue;
      computed.set(thread, ms);
      const since = Math.max(0, ms - (this.#computed.get(thread) ?? ms));
      if (since > 0) this.#used.set(user, (this.#used.get(user) ?? 0) + since);
    }
    this.#computed = computed;
    const behind = new Set([...this.#used].filter(([, ms]) => ms > processorMs).map(([user]) => user));
    for (const { user, thread } of sessions) if (computed.has(thread)) await this.#order(thread, behind.has(user));
    return [...behind].filter((user) => !before.has(user));
  }

  /** Of this thread alone; undefined where it is none of the server's. */
  async #computedMs(thread: number): Promise<number | undefined> {
    const stat = await readFile(`/proc/${thread}/task/${thread}/stat`, 'utf8').catch(() => '');
    if (!stat.startsWith(`${thread} (${this.#program})`)) return undefined;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  /** A thread serves one user after another, so what was changed is put back. */
  async #order(thread: number, last: boolean): Promise<void> {
    const earlier = this.#last.get(thread);
    try {
      if (last && earlier === undefined) {
        const present = getPriority(thread);
        await this.#setPriority(thread, LAST);
        this.#last.set(thread, present);
      } else if (!last && earlier !== undefined) {
        this.#last.delete(thread);
        await this.#setPriority(thread, earlier);
      }
    } catch {
      // It has ended, or we may not.
    }
  }

  async #setPriority(thread: number, priority: number): Promise<void> {
    // Each process of PostgreSQL is a session of its own.
    if (this.#program === 'postgres') await prioritize(thread, priority);
    else setPriority(thread, priority);
  }
}

export function tellOfLast(log: Log, database: string): void {
  log.warn(
    { database },
    "An instance had its database server compute for long; its sessions come after everybody else's there " +
      'until they have rested',
  );
}
