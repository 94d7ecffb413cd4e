import { Redis as Valkey, type Command, type RedisOptions } from 'iovalkey';
import { atDeadline } from '../lifecycle/deadline.ts';

/**
 * A client whose commands fail with "Command timed out" when Valkey has not answered within `answerWithinMs`. The
 * library's own `commandTimeout` also fails those whose answer lies in the socket, unread because this process stood
 * still: a claim that is carried out and whose visitor is told to try again.
 */
export class PatientValkey extends Valkey {
  readonly #answerWithinMs: number;
  #doubted: Valkey['stream'] | undefined;

  constructor({ answerWithinMs, ...options }: RedisOptions & { readonly answerWithinMs: number }) {
    super(options);
    this.#answerWithinMs = answerWithinMs;
  }

  override sendCommand(command: Command, stream?: Parameters<Valkey['sendCommand']>[1]): unknown {
    const sent = super.sendCommand(command, stream);
    const answered = atDeadline(this.#answerWithinMs, () => {
      command.reject(new Error('Command timed out'));
      this.#doubt();
    });
    command.promise.then(answered, answered);
    return sent;
  }

  /**
   * A server that hangs is left when nothing is heard of it for as long again: it may be one that never goes on. By
   * then every command that was under way has had its own time.
   */
  #doubt(): void {
    const { stream } = this;
    if (this.#doubted === stream || this.status !== 'ready') return;
    this.#doubted = stream;
    const leave = atDeadline(this.#answerWithinMs, () =>
      stream.destroy(new Error(`Valkey has said nothing for ${2 * this.#answerWithinMs} ms`)),
    );
    const heard = (): void => {
      leave();
      stream.off('data', heard).off('close', heard);
      if (this.#doubted === stream) this.#doubted = undefined;
    };
    stream.once('data', heard).once('close', heard);
  }
}
