import type { Redis as Valkey } from 'iovalkey';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { isForWantOfReplicas, storeError } from './client.ts';
import { ConnectedServer } from './connected-server.ts';
import { keys } from './keys.ts';

export interface ReplicaConfirmationDeps {
  /** Whose answers are confirmed. */
  readonly client: Valkey;
  /** Makes one that has not connected yet, and does not come back by itself. */
  readonly newClient: () => Valkey;
  readonly log: Log;
}

/** For a change's way to a replica, and the replica's word. */
const CONFIRM_WITHIN_MS = 1_000;
/** Once it did not come in time: who comes next should rather hear "try again" than wait as long. */
const LOOK_WITHIN_MS = 250;
const RETRY_AFTER_MS = 2_000;

interface Answer {
  /** Of the server that gave it. */
  readonly run: string;
  /** How many replicas had everything. */
  readonly replicas: number;
}

/**
 * Where Valkey takes changes only while it has replicas, waits until one of them has a change before anybody is told of
 * it: a primary that is cut off goes on for some seconds, and what it takes then is lost. The waiting is done over a
 * connection of its own, for all that was answered by then at once, so that nothing is held up by it (adr/0009).
 */
export class ReplicaConfirmation {
  readonly #deps: ReplicaConfirmationDeps;
  readonly #own: ConnectedServer;
  #asking: { readonly client: Valkey; readonly server: ConnectedServer } | undefined;
  /** For those who ask while another answer is under way: that may be about less. */
  #next: Promise<Answer> | undefined;
  #underWay: Promise<unknown> = Promise.resolve();
  #lacking = false;

  constructor(deps: ReplicaConfirmationDeps) {
    this.#deps = deps;
    this.#own = new ConnectedServer(deps.client);
  }

  /** Whether the last change was not confirmed: until that is over, what is changed would be changed in vain. */
  get lacking(): boolean {
    return this.#lacking;
  }

  /**
   * Resolves once a replica has all that Valkey has answered; undefined where none is wanted. To be called at once when
   * an answer is there, so that it is about the server that gave it. Rejects with store_unavailable when none has it in
   * time: what was answered may be lost.
   */
  confirm(): Promise<void> | undefined {
    return this.#own.known?.wantsReplicas === false && !this.#lacking ? undefined : this.#confirm();
  }

  /**
   * Throws store_unavailable where replicas have fallen silent without being missed, and until one answers: another
   * server may be the primary by now. Where they are known to be gone, it is the only one.
   */
  async requireAnswers(): Promise<void> {
    try {
      await this.confirm();
    } catch (error) {
      if (this.#lacking || !isForWantOfReplicas(error)) throw error;
    }
  }

  /** Ends the connection it waits over. */
  close(): void {
    this.#asking?.client.disconnect();
    this.#asking = undefined;
  }

  async #confirm(): Promise<void> {
    try {
      const { run, wantsReplicas } = await this.#own.ask();
      if (wantsReplicas) await this.#haveReplicas(run);
    } catch (error) {
      // Who has none takes no changes, so there is nothing that could be lost.
      if (!isForWantOfReplicas(error)) this.#note(error);
      throw error;
    }
    this.#note(undefined);
  }

  async #haveReplicas(run: string): Promise<void> {
    this.#next ??= this.#afterUnderWay();
    const answer = await this.#next;
    if (answer.run !== run) {
      // One of the two connections leads to who is the primary no more.
      this.close();
      throw unconfirmed('another server has become the primary');
    }
    if (answer.replicas === 0) throw unconfirmed('none of them has answered');
  }

  async #afterUnderWay(): Promise<Answer> {
    await this.#underWay;
    const answer = this.#ask();
    this.#underWay = answer.catch(() => undefined);
    this.#next = undefined;
    return answer;
  }

  /** Replicas get changes in the order they were made in, so who has this one has all before it. */
  async #ask(): Promise<Answer> {
    try {
      const { client, server } = await this.#connected();
      const { run } = await server.ask();
      const [, replicas] = await Promise.all([
        client.incr(keys.confirmations),
        client.call('wait', 1, this.#lacking ? LOOK_WITHIN_MS : CONFIRM_WITHIN_MS),
      ]);
      return { run, replicas: Number(replicas) };
    } catch (error) {
      throw storeError(error);
    }
  }

  async #connected(): Promise<{ readonly client: Valkey; readonly server: ConnectedServer }> {
    if (this.#asking?.client.status === 'ready') return this.#asking;
    this.close();
    const client = this.#deps.newClient();
    // Whoever waits hears of it by what they asked.
    client.on('error', () => undefined);
    const asking = { client, server: new ConnectedServer(client) };
    this.#asking = asking;
    await client.connect();
    return asking;
  }

  #note(error: unknown): void {
    const lacking = error !== undefined;
    if (lacking === this.#lacking) return;
    this.#lacking = lacking;
    const { log } = this.#deps;
    if (lacking)
      log.error(
        { reason: describeError(error) },
        'Whether a replica of Valkey has what was changed last is not known: nothing is handed out until it is. ' +
          'See `valkey-cli info replication`, and whether the hosts reach each other',
      );
    else log.info({}, 'Replicas of Valkey have what is changed; instances are handed out again');
  }
}

function unconfirmed(why: string): TryItNowError {
  return new TryItNowError(
    'store_unavailable',
    `Valkey's replicas have not confirmed what was changed (${why}), so it may be lost; ask again`,
    { retryAfterMs: RETRY_AFTER_MS },
  );
}
