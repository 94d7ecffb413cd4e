import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { TryItNowError } from '../domain/errors.ts';
import { PROBLEM_TYPE, toProblem } from './problem.ts';

interface ParserError {
  readonly code: string;
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
  },
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { requestId, typeBase } = options;
    const why = reason(error, options.maxHeaderBytes);
    const { status } = why;
    const body = JSON.stringify(toProblem(why, requestId, typeBase));
    socket.write(
      [
        `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
        `Content-Type: ${PROBLEM_TYPE}; charset=utf-8`,
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

function reason(error: ParserError, maxHeaderBytes: number): TryItNowError {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new TryItNowError(
      'request_timeout',
      'The request did not arrive completely within the time this server waits for one',
    );
  if (error.code === 'HPE_HEADER_OVERFLOW')
    return new TryItNowError(
      'headers_too_large',
      `The address and the headers of the request are larger than ${maxHeaderBytes} bytes together`,
    );
  return new TryItNowError('malformed_request', 'What was sent is not a well-formed HTTP/1.1 request');
}
