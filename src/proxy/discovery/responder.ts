import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { AUTHORITATIVE_ANSWER, decode, encode, RECURSION_DESIRED, type DecodedPacket } from 'dns-packet';
import { TryItNowError } from '../../domain/errors.ts';
import type { DnsOutcome } from './ports.ts';
import { RCODE, type Reply } from './zone.ts';

const HEADER_BYTES = 12;
const RESPONSE_BIT = 0x80;

export type Question = NonNullable<DecodedPacket['questions']>[number];

export interface ResponderOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly answer: (question: Question) => Reply | Promise<Reply>;
  readonly onAnswered: (outcome: DnsOutcome) => void;
}

export interface Responder {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A DNS server over UDP. No packet, however mangled, ends it. Throws port_taken. */
export async function startResponder(options: ResponderOptions): Promise<Responder> {
  const socket = createSocket(isIPv6(options.host) ? 'udp6' : 'udp4');
  await bind(socket, options.host, options.port);
  // A send that fails concerns one asker, who will ask again.
  socket.on('error', () => undefined);
  socket.on('message', (packet, from) => { void respond(socket, packet, from, options); });
  const { address, port } = socket.address();
  return { host: address, port, close: () => new Promise((resolve) => { socket.close(resolve); }) };
}

function bind(socket: Socket, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      if (error.code !== 'EADDRINUSE') reject(error);
      else reject(new TryItNowError('port_taken', `discovery cannot listen on UDP ${host}:${port}: another program has it; end that one or set DISCOVERY_ADDR`, { cause: error }));
    });
    socket.bind(port, host, () => { socket.removeAllListeners('error'); resolve(); });
  });
}

async function respond(socket: Socket, packet: Buffer, from: RemoteInfo, options: ResponderOptions): Promise<void> {
  const query = read(packet);
  if (query === 'ignore') return;
  if (query === 'malformed') {
    options.onAnswered('malformed');
    socket.send(bareReply(packet, RCODE.formatError), from.port, from.address);
    return;
  }
  if (query.opcode !== 'QUERY') {
    options.onAnswered('refused');
    socket.send(bareReply(packet, RCODE.notImplemented), from.port, from.address);
    return;
  }
  try {
    const pending = options.answer(query.question);
    const reply = pending instanceof Promise ? await pending : pending;
    const flags = (query.recursionDesired ? RECURSION_DESIRED : 0) | AUTHORITATIVE_ANSWER | reply.rcode;
    const bytes = encode({ type: 'response', id: query.id, flags, questions: [query.question], answers: [...reply.answers] });
    options.onAnswered(reply.outcome);
    socket.send(bytes, from.port, from.address);
  } catch {
    // A name that decodes but cannot be encoded again, or a socket closed meanwhile.
    options.onAnswered('malformed');
    sendQuietly(socket, bareReply(packet, RCODE.formatError), from);
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
  try {
    const { id = 0, flag_rd: recursionDesired, opcode = 'QUERY', questions = [] } = decode(packet) as DecodedPacket & { opcode?: string };
    const [question] = questions;
    return question === undefined || questions.length !== 1 ? 'malformed' : { id, opcode, recursionDesired, question };
  } catch {
    return 'malformed';
  }
}

/** The asker's header turned into an answer without any section. */
function bareReply(packet: Buffer, rcode: number): Buffer {
  const reply = Buffer.alloc(HEADER_BYTES);
  packet.copy(reply, 0, 0, 4);
  reply.writeUInt8((packet.readUInt8(2) & 0x79) | RESPONSE_BIT, 2);
  reply.writeUInt8(rcode, 3);
  return reply;
}
