import { createHash, createHmac, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Refusal } from './refusal.js';
import { animals, qualities } from './names.js';

const seedPattern = /^[0-9a-f]{64}$/;
const maxFieldLength = 500;

/**
 * What makes this board its own. Until it is activated it is what the process drew at its start, which every container
 * restored from one memory dump has in common. Whatever must differ comes from the seed handed over, through `secret`.
 */
export class Identity {
  #secret = randomBytes(32);
  #drawn = 0;
  #container;

  constructor() {
    this.activated = false;
    this.since = new Date();
  }

  /** Takes on the identity handed over; only once. */
  activate(handedOver) {
    const { hostname: name, seed } = checkActivation(handedOver);
    if (this.activated) throw new Refusal(409, 'already_activated', 'This board has its identity already.');
    this.activated = true;
    this.since = new Date();
    this.#container = name;
    this.#secret = createHmac('sha256', Buffer.from(seed, 'hex')).update('notes board').digest();
    this.#drawn = 0;
  }

  /** A new name for a board. */
  boardName() {
    return `${this.draw(qualities)} ${this.draw(animals)}`;
  }

  /** One of the list, by this board's own random numbers. */
  draw(list) {
    return list[this.randomInt(list.length)];
  }

  /** A whole number from 0 to below `limit`; that limits are far below 2^48 leaves no bias worth a second try. */
  randomInt(limit) {
    this.#drawn += 1;
    return createHmac('sha256', this.#secret).update(`number ${this.#drawn}`).digest().readUIntBE(0, 6) % limit;
  }

  /** Short, for the page: the first label of the name handed over, else the container's own host name. */
  get container() {
    return (this.#container ?? hostname()).split('.')[0].slice(0, 12);
  }

  /** Tells boards apart without giving the secret away. */
  get fingerprint() {
    return createHash('sha256').update('fingerprint').update(this.#secret).digest('hex').slice(0, 32);
  }
}

function checkActivation(value) {
  if (typeof value !== 'object' || value === null)
    throw new Refusal(400, 'bad_activation', 'The body must be a JSON object.');
  for (const field of ['instance_id', 'hostname', 'url', 'seed']) {
    const text = value[field];
    if (typeof text !== 'string' || text === '' || text.length > maxFieldLength)
      throw new Refusal(400, 'bad_activation', `The field ${field} must be a text.`);
  }
  if (!seedPattern.test(value.seed))
    throw new Refusal(400, 'bad_activation', 'The field seed must be 64 hexadecimal digits.');
  return value;
}
