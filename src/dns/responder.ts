import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { AUTHORITATIVE_ANSWER, decode, encode, RECURSION_DESIRED, type DecodedPacket } from 'dns-packet';
import { TryItNowError } from '../domain/errors.ts';
import { RCODE, type Question, type Reply } from './reply.ts';

const HEADER_BYTES = 12;
/** What resolvers keep to over UDP; a question takes 300 at most. https://www.rfc-editor.org/rfc/rfc9715 */
const MOST_BYTES = 1_232;
/** Beside the question a query has what it says of itself (EDNS), and of its key. */
const MOST_ADDITIONAL = 2;
const RESPONSE_BIT = 0x80;

/** What a packet that asks nothing comes to. */
type Unanswered = 'malformed' | 'refused';

export interface ResponderOptions<Outcome extends string> {
  /** Completes "… cannot listen on UDP 127.0.0.1:53: another program has it; end that one …". */
  readonly what: string;
  readonly otherwise: string;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** A socket that somebody bound for us and keeps when we end, so that what is asked meanwhile waits in it. */
  readonly inherited?: { readonly fd: number };
  /** Further ones may listen there as well: the newest is asked, and the others once it has ended. */
  readonly shared?: boolean;
  readonly answer: (question: Question) => Reply<Outcome> | Promise<Reply<Outcome>>;
  readonly onAnswered?: (outcome: Outcome | Unanswered) => void;
}

export interface Responder {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A DNS server over UDP. No packet, however mangled, ends it. Throws port_taken. */
export async function startResponder<Outcome extends string>(options: ResponderOptions<Outcome>): Promise<Responder> {
  const family = isIPv6(options.host) ? 6 : 4;
  // Askers come with their address; looking it up for every answer, as a socket does by default, costs time.
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (address, _, done) => done(null, address, family),
    reuseAddr: options.shared === true,
  });
  if (options.inherited === undefined) await bind(socket, options);
  else await adopt(socket, options.inherited.fd);
  // A send that fails concerns one asker, who will ask again.
  socket.on('error', () => undefined);
  socket.on('message', (packet, from) => respond(socket, packet, from, options));
  const { address, port } = socket.address();
  return {
    host: address,
    port,
    close: () =>
      new Promise((resolve) => {
        socket.close(resolve);
      }),
  };
}

function bind(
  socket: Socket,
  { host, port, what, otherwise }: Pick<ResponderOptions<string>, 'host' | 'port' | 'what' | 'otherwise'>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      if (error.code !== 'EADDRINUSE') reject(error);
      else
        reject(
          new TryItNowError(
            'port_taken',
            `${what} cannot listen on UDP ${host}:${port}: another program has it; end that one ${otherwise}`,
            { cause: error },
          ),
        );
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error');
      resolve();
    });
  });
}

function adopt(socket: Socket, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ fd }, () => {
      socket.removeAllListeners('error');
      resolve();
    });
  });
}

/**
 * Without a promise where none is needed: Caddy looks names up one at a time, so every microsecond here counts for all.
 */
function respond<Outcome extends string>(
  socket: Socket,
  packet: Buffer,
  from: RemoteInfo,
  options: ResponderOptions<Outcome>,
): void {
  const query = read(packet);
  if (query === 'ignore') return;
  const finish = (outcome: Outcome | Unanswered, bytes: Buffer): void => {
    options.onAnswered?.(outcome);
    sendQuietly(socket, bytes, from);
  };
  if (query === 'malformed') finish('malformed', bareReply(packet, RCODE.formatError));
  else if (query.opcode !== 'QUERY') finish('refused', bareReply(packet, RCODE.notImplemented));
  else {
    const settle = (reply: Reply<Outcome>): void => {
      const bytes = encodeReply(query, reply);
      if (bytes === undefined) finish('malformed', bareReply(packet, RCODE.formatError));
      else finish(reply.outcome, bytes);
    };
    const reply = options.answer(query.question);
    if (reply instanceof Promise) void reply.then(settle);
    else settle(reply);
  }
}

/** Undefined for a question that can be decoded but not encoded again. */
function encodeReply({ id, recursionDesired, question }: Query, { rcode, answers }: Reply<string>): Buffer | undefined {
  try {
    const flags = (recursionDesired ? RECURSION_DESIRED : 0) | AUTHORITATIVE_ANSWER | rcode;
    return encode({ type: 'response', id, flags, questions: [question], answers: [...answers] });
  } catch {
    return undefined;
  }
}

function sendQuietly(socket: Socket, bytes: Buffer, from: RemoteInfo): void {
  try {
    socket.send(bytes, from.port, from.address);
  } catch {
    // The socket is closed: there is nobody to answer any more.
  }
}

interface Query {
  readonly id: number;
  readonly opcode: string;
  readonly recursionDesired: boolean;
  readonly question: Question;
}

function read(packet: Buffer): Query | 'ignore' | 'malformed' {
  // Answering an answer could keep two servers answering each other for ever.
  if (packet.length < HEADER_BYTES || (packet.readUInt8(2) & RESPONSE_BIT) !== 0) return 'ignore';
  if (packet.length > MOST_BYTES || !hasCountsOfQuery(packet)) return 'malformed';
  try {
    const {
      id = 0,
      flag_rd: recursionDesired,
      opcode = 'QUERY',
      questions = [],
    } = decode(packet) as DecodedPacket & { opcode?: string };
    const [question] = questions;
    return question === undefined || questions.length !== 1 ? 'malformed' : { id, opcode, recursionDesired, question };
  } catch {
    return 'malformed';
  }
}

/**
 * Looked at first: a packet of some bytes may claim a quarter of a million records, and one that is full of pointers to
 * pointers takes a second to decode.
 */
function hasCountsOfQuery(packet: Buffer): boolean {
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) => packet.readUInt16BE(at));
  return questions === 1 && answers === 0 && authorities === 0 && (additional ?? 0) <= MOST_ADDITIONAL;
}

/** The asker's header turned into an answer without any section. */
function bareReply(packet: Buffer, rcode: number): Buffer {
  const reply = Buffer.alloc(HEADER_BYTES);
  packet.copy(reply, 0, 0, 4);
  reply.writeUInt8((packet.readUInt8(2) & 0x79) | RESPONSE_BIT, 2);
  reply.writeUInt8(rcode, 3);
  return reply;
}
