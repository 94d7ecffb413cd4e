import { setInterval } from 'node:timers';
import { Refusal } from './refusal.js';

const maxWindows = 50;
const heartbeatMs = 15_000;

/** Every open window of the board, over Server-Sent Events: each gets every change and the number of windows. */
export class LiveWindows {
  #streams = new Set();
  #board;

  constructor(board) {
    this.#board = board;
    board.on('change', (change) => this.#tell('change', change));
    board.on('renamed', () => this.#tell('board', board));
    // Keeps proxies from taking a quiet stream for a dead one.
    setInterval(() => this.#write(': still here\n\n'), heartbeatMs).unref();
  }

  get count() {
    return this.#streams.size;
  }

  /** Turns the response into an event stream that begins with the whole board. */
  open(request, response, headers) {
    if (this.#streams.size >= maxWindows) {
      throw new Refusal(429, 'too_many_windows', `A board shows itself in ${maxWindows} windows at once. Close one.`, {
        'Retry-After': '30',
      });
    }
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    if (request.method === 'HEAD') return response.end();
    response.write(`retry: 1000\n${message('board', this.#board)}`);
    this.#streams.add(response);
    this.#tell('windows', this.count);
    response.on('close', () => {
      this.#streams.delete(response);
      this.#tell('windows', this.count);
    });
  }

  #tell(event, data) {
    this.#write(message(event, data));
  }

  #write(text) {
    for (const stream of this.#streams) {
      // A window that does not read is cut off rather than buffered for; it reconnects and gets the whole board.
      if (stream.writableLength > 2 ** 20) stream.destroy();
      else stream.write(text);
    }
  }
}

const message = (event, data) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
