import type { ServerResponse } from 'node:http';

/**
 * Whether nobody can be answered any more. A response that waits behind another one of its connection has no socket
 * yet, and is not destroyed with it.
 */
export function isClosed(response: ServerResponse): boolean {
  return response.destroyed || response.req.socket.destroyed;
}

/**
 * Calls back once, when the response is closed or its connection, whichever comes first: Node tells of a closed
 * connection only the response whose turn it is, and none of those that a client has pipelined behind it.
 */
export function onClosed(response: ServerResponse, tell: () => void): void {
  const { socket } = response.req;
  const closed = (): void => {
    socket.off('close', closed);
    response.off('close', closed);
    tell();
  };
  // As many as a client pipelines, each taken off with its response.
  socket.setMaxListeners(0);
  socket.once('close', closed);
  response.once('close', closed);
}

/** Ends the connection. One that waits its turn has none to end by itself, and what it is told would pile up. */
export function hangUp(response: ServerResponse): void {
  response.destroy();
  response.req.socket.destroy();
}
