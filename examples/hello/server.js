// A notes board for one visitor. Plain Node, no dependencies: prepares everything first, listens only when it is ready.
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:http';
import { loadAssets } from './lib/assets.js';
import { Board } from './lib/board.js';
import { BoardFile } from './lib/board-file.js';
import { IdeaLibrary } from './lib/idea-library.js';
import { Identity } from './lib/identity.js';
import { LiveWindows } from './lib/live-windows.js';
import { createRouter } from './lib/router.js';

const identity = new Identity();
const startedAt = identity.since;

function log(message, details = {}) {
  const line = { time: new Date().toISOString(), sinceStartMs: Date.now() - startedAt.getTime(), message, ...details };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function integerFromEnv(name, fallback, min, max) {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  log(`${name} must be a whole number from ${min} to ${max}, but is ${JSON.stringify(text)}`);
  process.exit(78);
}

const port = integerFromEnv('PORT', 3000, 0, 65_535);
const ideaLimit = integerFromEnv('IDEAS', Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER);

const file = new BoardFile(process.env.DATA_DIR || join(tmpdir(), 'notes-board'), log);

// From the first moment on: as process 1 of a container we would otherwise not be ended by SIGTERM at all.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    file.saveNow();
    log(`${signal} received, leaving`);
    process.exit(0);
  });
}

log('starting', { node: process.version, container: hostname() });
const board = new Board(file.load() ?? { name: identity.boardName() });
file.watch(board);
log('board opened', { board: board.name, notes: board.notes().length });

const ideas = await IdeaLibrary.build({ limit: ideaLimit, onProgress: log });
const assets = await loadAssets(new URL('./public/', import.meta.url));
log('pages and styles loaded', { files: assets.size });

const windows = new LiveWindows(board);
const server = createServer(createRouter({ board, identity, windows, ideas, assets, log }));
server.headersTimeout = 5_000;
server.requestTimeout = 10_000;
// Longer than reverse proxies keep idle connections, so that none of them sends into a closing one.
server.keepAliveTimeout = 130_000;
server.on('error', (error) => {
  log(`cannot listen on port ${port}: ${error.message}`);
  process.exit(1);
});
server.listen(port, '0.0.0.0', () => {
  log('ready', { port: server.address().port, rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20) });
});
