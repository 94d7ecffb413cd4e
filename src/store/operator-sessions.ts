import { createHash } from 'node:crypto';
import type { Redis as Valkey } from 'iovalkey';
import Value from 'typebox/value';
import { OperatorSession } from '../domain/operator-session.ts';
import type { ListedSession, OperatorSessions } from '../pool/interfaces/operator-sessions.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import type { Scripts } from './scripts.ts';
import { parseVersioned } from './versioned.ts';

/** Nobody has so many browsers; what is beyond it was made by a program. */
const MOST = 500;

/** One hash. A session's id is the digest of its secret, so who reads the store cannot log in with what they see. */
export class ValkeyOperatorSessions implements OperatorSessions {
  readonly #client: Valkey;
  readonly #scripts: Scripts;

  constructor(client: Valkey, scripts: Scripts) {
    this.#client = client;
    this.#scripts = scripts;
  }

  async open(secret: string, { who, role, from, forMs, vouched }: Parameters<OperatorSessions['open']>[1]) {
    const id = idOf(secret);
    const text = (await this.#scripts.run(
      'open-session',
      [keys.operatorSessions],
      [id, who, role, from, forMs, MOST, vouched === undefined ? '' : JSON.stringify(vouched)],
    )) as string;
    const [session] = parsed(id, text);
    if (session === undefined) throw new Error('a session that was just stored cannot be read');
    return session;
  }

  async find(secret: string): Promise<ListedSession | undefined> {
    const id = idOf(secret);
    const [now, text] = (await this.#scripts.run('find-session', [keys.operatorSessions], [id])) as [number, string];
    return parsed(id, text).find(({ untilMs }) => untilMs > now);
  }

  async list(): Promise<readonly ListedSession[]> {
    const [now, flat] = (await this.#scripts.run('list-sessions', [keys.operatorSessions], [])) as [number, string[]];
    const found: ListedSession[] = [];
    for (let at = 0; at < flat.length; at += 2) found.push(...parsed(flat[at] ?? '', flat[at + 1] ?? ''));
    return found.filter(({ untilMs }) => untilMs > now).sort((a, b) => b.sinceMs - a.sinceMs);
  }

  async end(id: string): Promise<boolean> {
    try {
      return (await this.#client.hdel(keys.operatorSessions, id)) === 1;
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** None for what is damaged or of another version. */
function parsed(id: string, text: string): ListedSession[] {
  const value: unknown = parseVersioned(text);
  return Value.Check(OperatorSession, value) ? [{ ...value, id }] : [];
}

function idOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
