import type { Redis as Valkey } from 'iovalkey';
import type { Template } from '../domain/template.ts';
import type { Supply } from '../domain/waiting-time.ts';
import type { Standing, WaitingList, WaitingView } from '../pool/interfaces/waiting-list.ts';
import { storeError } from './client.ts';
import { today } from './funnel-counts.ts';
import { keys } from './keys.ts';
import { FAILURES_TO_OPEN } from './provisioning-store.ts';
import { parseRefilled } from './refilled.ts';
import type { Scripts } from './scripts.ts';

/** A browser that lost its connection asks again within 3 s, and a page without a script every 2 s. */
export const PLACE_KEPT_MS = 20_000;
/** For the first, while there is an instance: two round trips over a slow line. */
const OFFER_MS = 10_000;
/** Of one template. More are asked to come again: they would wait in vain. */
export const MOST_PLACES = 1_000;
const BATCH = 200;

type LookReply = readonly [
  nowMs: number,
  lapsed: readonly string[],
  ready: number,
  warming: number,
  leaving: number,
  assigned: number,
  mode: string,
  reason: string,
  target: string,
  failures: number,
  retryInMs: number,
  ages: number[],
  ends: number[],
  refilled: string[],
  places: [ahead: number, waitedMs: number][],
];

export class ValkeyWaitingList implements WaitingList {
  readonly #client: Valkey;
  readonly #scripts: Scripts;

  constructor(client: Valkey, scripts: Scripts) {
    this.#client = client;
    this.#scripts = scripts;
  }

  async look(template: Template, places: readonly string[]): Promise<WaitingView> {
    const standings = new Map<string, Standing>();
    let reply = await this.#lookAt(template, places.slice(0, BATCH), standings);
    const lapsed = [...reply[1]];
    for (let at = BATCH; at < places.length; at += BATCH) {
      reply = await this.#lookAt(template, places.slice(at, at + BATCH), standings);
      lapsed.push(...reply[1]);
    }
    const reason = reply[7];
    return { supply: supplyOf(reply, template), standings, reason: reason === '' ? undefined : reason, lapsed };
  }

  async occupied(templates: readonly string[]): Promise<ReadonlySet<string>> {
    try {
      const found = await Promise.all(
        templates.map((name) => this.#client.exists(keys.waiting(name), keys.waitingLeases(name))),
      );
      return new Set(templates.filter((_, at) => (found[at] ?? 0) > 0));
    } catch (error) {
      throw storeError(error);
    }
  }

  async #lookAt(template: Template, places: readonly string[], standings: Map<string, Standing>): Promise<LookReply> {
    const { name, ttl } = template;
    const reply = (await this.#scripts.run(
      'look-at-places',
      [
        keys.waiting(name),
        keys.waitingLeases(name),
        keys.waitingClients(name),
        keys.ready(name),
        keys.warming(name),
        keys.assigned(name),
        keys.leaving(name),
        keys.instances,
        keys.refillPause(name),
        keys.poolControl(name),
        keys.refills(name),
        keys.funnel(today()),
      ],
      [PLACE_KEPT_MS, ttl.defaultMs, OFFER_MS, name, ...places],
    )) as LookReply;
    for (const [at, place] of places.entries()) {
      const [ahead = -1, waitedMs = 0] = reply[14][at] ?? [];
      if (ahead >= 0) standings.set(place, { ahead, waitedMs });
    }
    return reply;
  }

  async leave(template: string, place: string): Promise<string | undefined> {
    const site = (await this.#scripts.run(
      'leave-waiting',
      [keys.waiting(template), keys.waitingLeases(template), keys.waitingClients(template), keys.funnel(today())],
      [place, template],
    )) as string;
    return site === '' ? undefined : site;
  }
}

function supplyOf(
  [nowMs, , ready, warming, leaving, assigned, mode, , target, failures, retryInMs, ages, ends, refilled]: LookReply,
  { pool }: Template,
): Supply {
  return {
    nowMs,
    mode: mode === 'paused' || mode === 'draining' ? mode : 'open',
    ready,
    warming,
    startAgesMs: ages,
    leaving,
    assigned,
    endsInMs: ends,
    capacity: pool.max,
    failing: failures >= FAILURES_TO_OPEN ? { failures, retryInMs } : undefined,
    off: target === '0',
    refilled: parseRefilled(refilled),
  };
}
