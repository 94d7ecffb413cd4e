import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { TryItNowError } from '../domain/errors.ts';
import { PROBLEM_TYPE, toProblem } from './problem.ts';

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
  options: { readonly maxHeaderBytes: number; readonly typeBase: string; readonly requestId: string },
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const problem = toProblem(reason(error, options.maxHeaderBytes), options.requestId, options.typeBase);
    const body = JSON.stringify(problem);
    socket.write(
      [
        `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
        `Content-Type: ${PROBLEM_TYPE}; charset=utf-8`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        `X-Request-Id: ${options.requestId}`,
        'Cache-Control: no-store',
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  }
  socket.destroySoon();
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
