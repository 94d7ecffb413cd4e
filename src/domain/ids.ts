import { createHash, randomBytes } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Source of random bytes; a parameter so that tests can be deterministic. */
export type Entropy = (bytes: number) => Uint8Array;

/**
 * RFC 4648 base32 in lower case without padding: safe in URLs, host names and container names. Five bits a character.
 */
function base32(bytes: Uint8Array, length: number): string {
  let text = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5 && text.length < length) {
      bits -= 5;
      text += ALPHABET.charAt((buffer >> bits) & 31);
    }
  }
  return text;
}

/** 26 characters, 130 bits. Anyone who knows it may control the instance, so it is drawn independently of the label. */
export function newInstanceId(entropy: Entropy = randomBytes): string {
  return base32(entropy(17), 26);
}

/** 20 characters, 100 bits: the unguessable first label of an instance's host name. Opens the app, controls nothing. */
export function newHostLabel(entropy: Entropy = randomBytes): string {
  return base32(entropy(13), 20);
}

export const INSTANCE_ID_PATTERN = '^[a-z2-7]{26}$';
export const HOST_LABEL_PATTERN = '^[a-z2-7]{20}$';
const instanceId = new RegExp(INSTANCE_ID_PATTERN);

export function isInstanceId(text: string): boolean {
  return instanceId.test(text);
}

/** 8 characters: tells attempts at the same instance apart. */
export function newAttempt(entropy: Entropy = randomBytes): string {
  return base32(entropy(5), 8);
}

/**
 * The container's name, another one for each attempt at the same instance. Engines write it into the container's
 * /etc/hosts, where hostile code can read it, so it must not give away the id: a one-way hash.
 */
export function containerName(id: string, attempt: string): string {
  return `demo-${createHash('sha256').update(`${id} ${attempt}`).digest('hex').slice(0, 16)}`;
}

/**
 * Names a visit to who may follow it but not govern it: the first 24 hexadecimal digits of the SHA-256 of the id, which
 * whoever took the instance can work out, and nobody can go back from.
 */
export function visitName(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 24);
}

export const VISIT_NAME_PATTERN = '^[0-9a-f]{24}$';
const visitNamePattern = new RegExp(VISIT_NAME_PATTERN);

export function isVisitName(text: string): boolean {
  return visitNamePattern.test(text);
}

/** An id that stands by itself; before it may be an escape of JSON (`\n`) or the end of a terminal's colour (`[0m`). */
const ID_IN_TEXT = /(?<=^|[^A-Za-z0-9]|\\(?:[bfnrt]|u[0-9a-f]{4})|\[[0-9;]*m)[a-z2-7]{26}(?![A-Za-z0-9])/g;

/** The text with `visitName` in place of each id in it. What is as long and spelled like one is taken for one. */
export function withVisitNames(text: string): string {
  return text.replace(ID_IN_TEXT, (id) => visitName(id));
}

/** The first 16 hexadecimal digits of the archive's SHA-256. */
export const CHECKPOINT_ID_PATTERN = '^[0-9a-f]{16}$';
const checkpointId = new RegExp(CHECKPOINT_ID_PATTERN);

export function isCheckpointId(text: string): boolean {
  return checkpointId.test(text);
}

/**
 * What an owner's idempotency key, and their place among those who wait, is stored under; two owners may use the same
 * key and never meet.
 */
export function ownersKey(owner: string, key: string): string {
  return createHash('sha256').update(`${owner}\n${key}`).digest('base64url');
}
