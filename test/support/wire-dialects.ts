import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** A piece of what one side sends that stands for itself. The bytes of all frames together are what was sent. */
export interface Frame {
  readonly bytes: Buffer;
  /** Of the exchange that it asks for or answers; undefined for plumbing. */
  readonly name: string | undefined;
}

/** One connection's two directions, each cut into frames. */
export interface Conversation {
  requests(chunk: Buffer): Frame[];
  replies(chunk: Buffer): Frame[];
}

export type Dialect = () => Conversation;

const CRLF = Buffer.from('\r\n');

/** Cuts off frames for as long as `endOf` finds one whole; what is left waits for the next chunk. */
function framing(
  endOf: (buffer: Buffer) => number | undefined,
  nameOf: (frame: Buffer) => string | undefined,
): (chunk: Buffer) => Frame[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Frame[] = [];
    for (let end = endOf(rest); rest.length > 0 && end !== undefined; end = endOf(rest)) {
      const bytes = rest.subarray(0, end);
      frames.push({ bytes, name: nameOf(bytes) });
      rest = rest.subarray(end);
    }
    return frames;
  };
}

/** Where the RESP value that begins at `at` ends; undefined while it is not whole. */
function respEnd(buffer: Buffer, at = 0): number | undefined {
  const lineEnd = buffer.indexOf(CRLF, at);
  if (lineEnd < 0) return undefined;
  const head = lineEnd + 2;
  const kind = String.fromCharCode(buffer[at] ?? 0);
  if (kind !== '$' && kind !== '*') return head;
  const length = Number(buffer.toString('latin1', at + 1, lineEnd));
  if (kind === '$') {
    const end = length < 0 ? head : head + length + 2;
    return end <= buffer.length ? end : undefined;
  }
  let end: number | undefined = head;
  for (let item = 0; item < length && end !== undefined; item += 1) end = respEnd(buffer, end);
  return end;
}

/** The first words of a RESP command. */
function respWords(frame: Buffer, count: number): string[] {
  const words: string[] = [];
  let at = frame.indexOf(CRLF) + 2;
  while (words.length < count && at < frame.length) {
    const head = frame.indexOf(CRLF, at);
    const length = Number(frame.toString('latin1', at + 1, head));
    words.push(frame.toString('utf8', head + 2, head + 2 + length));
    at = head + 2 + length + 2;
  }
  return words;
}

/**
 * Valkey. A script is named by its file: the connection that loads it shows its text, which ends with the file's, so
 * whatever else is put together with it makes no difference.
 */
export function valkeyDialect(scriptFolder: string): Dialect {
  const files = readdirSync(scriptFolder)
    .filter((file) => file.endsWith('.lua'))
    .map((file) => ({ name: basename(file, '.lua'), text: readFileSync(`${scriptFolder}/${file}`, 'utf8').trim() }));
  const bySha = new Map<string, string>();
  const learn = (source: string): string => {
    const sha = createHash('sha1').update(source).digest('hex');
    const name = bySha.get(sha) ?? files.find(({ text }) => source.trim().endsWith(text))?.name ?? `script ${sha}`;
    bySha.set(sha, name);
    return name;
  };
  const commandName = (frame: Buffer): string => {
    const [command = '', first = '', second = ''] = respWords(frame, 3);
    switch (command.toUpperCase()) {
      case 'EVALSHA':
        return bySha.get(first) ?? `script ${first}`;
      case 'EVAL':
        return learn(first);
      case 'SCRIPT':
        if (first.toUpperCase() === 'LOAD') learn(second);
        return `SCRIPT ${first.toUpperCase()}`;
      default:
        return command.toUpperCase();
    }
  };
  return () => {
    const waiting: string[] = [];
    return {
      requests: framing(respEnd, (frame) => {
        const name = commandName(frame);
        waiting.push(name);
        return name;
      }),
      replies: framing(respEnd, () => waiting.shift()),
    };
  };
}

const NATS_BODY: Readonly<Record<string, number>> = { PUB: 1, HPUB: 1, MSG: 1, HMSG: 1 };
/** The consumer is named in it. */
const ACK_SUBJECT = /^\$JS\.ACK\.[^.]+\.([^.]+)\./;

function natsEnd(buffer: Buffer): number | undefined {
  const lineEnd = buffer.indexOf(CRLF);
  if (lineEnd < 0) return undefined;
  const words = buffer.toString('latin1', 0, lineEnd).split(/\s+/);
  if (NATS_BODY[words[0]?.toUpperCase() ?? ''] === undefined) return lineEnd + 2;
  const end = lineEnd + 2 + Number(words.at(-1)) + 2;
  return end <= buffer.length ? end : undefined;
}

/** NATS with JetStream: publishes, acks and API calls with their answers by reply subject, and deliveries of tasks. */
export const natsDialect: Dialect = () => {
  const waiting = new Map<string, string>();
  return {
    requests: framing(natsEnd, (frame) => {
      const lineEnd = frame.indexOf(CRLF);
      const words = frame.toString('latin1', 0, lineEnd).trim().split(/\s+/);
      const [verb = '', subject = ''] = words;
      if (!/^H?PUB$/i.test(verb)) return undefined;
      const name = publicationName(subject, frame.toString('latin1', lineEnd + 2, lineEnd + 6));
      const hasReply = words.length === (verb.toUpperCase() === 'PUB' ? 4 : 5);
      if (hasReply) waiting.set(words[2] ?? '', name);
      return name;
    }),
    replies: framing(natsEnd, (frame) => {
      const [verb = '', subject = ''] = frame.toString('latin1', 0, frame.indexOf(CRLF)).split(/\s+/);
      if (!/^H?MSG$/i.test(verb)) return undefined;
      const name = waiting.get(subject);
      if (name !== undefined) {
        // A pull is answered more than once, by heartbeats too.
        if (!name.startsWith('pull')) waiting.delete(subject);
        return name;
      }
      return subject.startsWith('_INBOX') ? undefined : `deliver ${subject}`;
    }),
  };
};

function publicationName(subject: string, body: string): string {
  const consumer = ACK_SUBJECT.exec(subject)?.[1];
  if (consumer !== undefined)
    return `${{ '+ACK': 'ack', '-NAK': 'nak', '+WPI': 'working', '+TER': 'term' }[body] ?? 'ack'} ${consumer}`;
  if (subject.startsWith('$JS.API.CONSUMER.MSG.NEXT.')) return 'pull';
  if (subject.startsWith('$JS.API.')) return `api ${subject.slice('$JS.API.'.length).split('.').slice(0, 2).join(' ')}`;
  return `publish ${subject}`;
}

/** An HTTP API on a socket: method and path, with ids and names of single things as `{}`. */
export const httpDialect: Dialect = () => {
  let current: string | undefined;
  let answered = true;
  return {
    requests: (bytes) => {
      // A body in a chunk of its own belongs to the request before it.
      const line = answered
        ? /^(GET|HEAD|POST|PUT|PATCH|DELETE) (\S+) HTTP\/1\.[01]\r\n/.exec(bytes.toString('latin1', 0, 2_048))
        : null;
      if (line === null) return [{ bytes, name: undefined }];
      answered = false;
      current = `${line[1] ?? ''} ${pathName(line[2] ?? '')}`;
      return [{ bytes, name: current }];
    },
    replies: (bytes) => {
      const name = answered ? undefined : current;
      answered = true;
      return [{ bytes, name }];
    },
  };
};

function pathName(target: string): string {
  const path = target.replace(/\?.*$/, '').replace(/^\/v[0-9.]+(\/libpod)?/, '');
  return path
    .replace(/^\/images\/(?!json$|create$|load$|search$).+?(\/json|\/tag)?$/, '/images/{}$1')
    .split('/')
    .map((part) => (/^[0-9a-f]{12,64}$|^demo-[0-9a-f]+$|^try-it-now-/.test(part) ? '{}' : part))
    .join('/');
}

const COM_QUERY = 3;
const mysqlEnd = (buffer: Buffer): number | undefined => {
  if (buffer.length < 4) return undefined;
  const end = 4 + buffer.readUIntLE(0, 3);
  return end <= buffer.length ? end : undefined;
};

/** MariaDB's protocol: statements by their first two words. Statement and answer take turns. */
export const mariadbDialect: Dialect = () => {
  let waiting: string | undefined;
  return {
    requests: framing(mysqlEnd, (frame) => {
      // A command is the first packet of its sequence; packets of the login have later numbers.
      if (frame[3] !== 0 || frame[4] !== COM_QUERY) return undefined;
      const [verb = '', object = ''] = frame
        .toString('utf8', 5, Math.min(frame.length, 200))
        .trim()
        .toUpperCase()
        .split(/[\s(`,]+/);
      waiting = object === '' || object.startsWith('TIN_') ? verb : `${verb} ${object}`;
      return waiting;
    }),
    replies: framing(mysqlEnd, () => {
      const name = waiting;
      waiting = undefined;
      return name;
    }),
  };
};
