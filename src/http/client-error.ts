import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { TryItNowError } from '../domain/errors.ts';
import { PROBLEM_TYPE, toProblem } from './problem.ts';

/** `accepted`: as Accept-Language has it, where that could be read. */
export type RejectedPageOf = (error: TryItNowError, requestId: string, accepted: string | undefined) => RejectedPage;

/** A page in place of a problem body, for a browser whose request could not be read. */
export interface RejectedPage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface ParserError {
  readonly code: string;
  /** A Buffer with what came last, whatever Fastify's types say. */
  readonly rawPacket?: unknown;
}

/**
 * Answers what Node's parser rejected before it became a request. The socket is closed: where the
 * next request starts is unknown.
 */
export function answerClientError(
  error: ParserError,
  socket: Socket,
  options: {
    readonly maxHeaderBytes: number;
    readonly typeBase: string;
    readonly requestId: string;
    readonly page: RejectedPageOf;
  },
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { requestId, typeBase } = options;
    const why = reason(error, options.maxHeaderBytes);
    const { status } = why;
    const tooLarge = why.code === 'headers_too_large';
    const head = tooLarge ? headOf(error.rawPacket) : '';
    const { headers, body } =
      tooLarge && wantsPage(head)
        ? options.page(why, requestId, headerIn(head, 'accept-language'))
        : {
            headers: { 'Content-Type': `${PROBLEM_TYPE}; charset=utf-8` },
            body: JSON.stringify(toProblem(why, requestId, typeBase)),
          };
    socket.write(
      [
        `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
        `Content-Length: ${Buffer.byteLength(body)}`,
        `X-Request-Id: ${requestId}`,
        'X-Content-Type-Options: nosniff',
        'Cache-Control: no-store',
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  }
  socket.destroySoon();
}

function headOf(packet: unknown): string {
  return Buffer.isBuffer(packet) ? packet.toString('latin1') : '';
}

function headerIn(head: string, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}: *([^\\r\\n]*)`, 'i').exec(head)?.[1];
}

/** What came before the last packet is not known; nobody but browsers sends so much that it does not fit one. */
function wantsPage(head: string): boolean {
  const path = /^[A-Z]{3,10} (\S*)/.exec(head)?.[1];
  if (path === undefined) return true;
  return !path.startsWith('/api/') && headerIn(head, 'accept')?.includes('text/html') === true;
}

function reason(error: ParserError, maxHeaderBytes: number): TryItNowError {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new TryItNowError(
      'request_timeout',
      'The request did not arrive completely within the time this server waits for one',
    );
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    // Still inside the first line when the room for line and headers ran out: then it is the address that is too long.
    const head = Buffer.isBuffer(error.rawPacket) ? error.rawPacket.subarray(0, maxHeaderBytes) : undefined;
    const inFirstLine =
      head !== undefined && /^[A-Z]{3,10} \/?/.test(head.toString('latin1', 0, 16)) && !head.includes('\n');
    return inFirstLine
      ? new TryItNowError('uri_too_long', `The address of the request is longer than ${maxHeaderBytes} bytes`)
      : new TryItNowError(
          'headers_too_large',
          `The headers of the request are larger than ${maxHeaderBytes} bytes together`,
        );
  }
  return new TryItNowError('malformed_request', 'What was sent is not a well-formed HTTP/1.1 request');
}
