import { gzipSync } from 'node:zlib';
import { colors, maxTextLength } from './board.js';
import { readJsonBody } from './request-body.js';
import { Refusal } from './refusal.js';
import { renderPage } from './page.js';

const maxQueryLength = 100;

const securityHeaders = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** The request handler. Whatever goes wrong is answered with a problem body (RFC 9457). */
export function createRouter({ board, identity, windows, ideas, assets, log }) {
  // Asked for each time: the identity may be handed over after the start.
  const facts = () => ({ container: identity.container, startedAt: identity.since.toISOString() });

  const routes = [
    route('GET', /^\/healthz$/, (call) => call.json(200, { status: 'ok' })),
    route('GET', /^\/$/, (call) =>
      call.compressible(
        assets.get('index.html').type,
        renderPage(assets.get('index.html').body, {
          board,
          ideaCount: ideas.size,
          ...facts(),
          settings: { colors, maxTextLength },
        }),
      ),
    ),
    route('GET', /^\/api\/board$/, (call) => call.json(200, { ...board.toJSON(), ...facts(), windows: windows.count })),
    route('GET', /^\/api\/events$/, (call) => windows.open(call.request, call.response, securityHeaders)),
    route('GET', /^\/api\/ideas$/, (call) => {
      const query = call.url.searchParams.get('q') ?? '';
      if (query.length > maxQueryLength)
        throw new Refusal(400, 'bad_query', `A search has at most ${maxQueryLength} characters.`);
      call.json(
        200,
        ideas.search(query, (limit) => identity.randomInt(limit)),
      );
    }),
    route('GET', /^\/\.try-it-now\/identity$/, (call) =>
      call.json(200, { board: board.name, fingerprint: identity.fingerprint }),
    ),
    route('POST', /^\/\.try-it-now\/activate$/, async (call) => {
      identity.activate(await readJsonBody(call.request));
      board.rename(identity.boardName());
      log('activated', { board: board.name });
      call.empty(204);
    }),
    ...noteRoutes(board),
    route('GET', /^\/(?:assets\/([a-z-]+\.(?:css|js|svg))|favicon\.ico)$/, (call, name) => {
      const asset = assets.get(name ?? 'icon.svg');
      if (asset === undefined) throw new Refusal(404, 'not_found', 'There is nothing at this address.');
      call.asset(asset);
    }),
  ];

  return async (request, response) => {
    const call = new Call(request, response);
    try {
      call.url = parseUrl(request.url);
      refuseForeignChange(request);
      await dispatch(routes, call);
    } catch (error) {
      if (!(error instanceof Refusal)) log('a request failed', { method: request.method, error: error.stack });
      const { status, code, message, headers } =
        error instanceof Refusal ? error : new Refusal(500, 'internal', 'Something went wrong on our side.');
      if (response.headersSent) return response.destroy();
      call.problem(status, code, message, headers);
    }
  };
}

function noteRoutes(board) {
  return [
    route('PUT', /^\/api\/notes\/([^/]+)$/, async (call, id) => {
      const { isNew, note } = board.put(id, await readJsonBody(call.request));
      call.json(isNew ? 201 : 200, note);
    }),
    route('PATCH', /^\/api\/notes\/([^/]+)$/, async (call, id) =>
      call.json(200, board.change(id, await readJsonBody(call.request))),
    ),
    route('DELETE', /^\/api\/notes\/([^/]+)$/, (call, id) => {
      board.remove(id);
      call.empty(204);
    }),
  ];
}

const route = (method, pattern, handle) => ({ method, pattern, handle });

async function dispatch(routes, call) {
  const allowed = [];
  for (const { method, pattern, handle } of routes) {
    const match = pattern.exec(call.url.pathname);
    if (match === null) continue;
    if (method === call.request.method || (method === 'GET' && call.request.method === 'HEAD'))
      return handle(call, match[1]);
    allowed.push(method === 'GET' ? 'GET, HEAD' : method);
  }
  if (allowed.length === 0) throw new Refusal(404, 'not_found', 'There is nothing at this address.');
  throw new Refusal(405, 'method_not_allowed', `This address takes ${allowed.join(', ')}.`, {
    Allow: allowed.join(', '),
  });
}

function parseUrl(text) {
  try {
    return new URL(text, 'http://board');
  } catch {
    throw new Refusal(400, 'bad_address', 'The address cannot be read.');
  }
}

/** Another site may link here, but may not write on the board through a visitor's browser. */
function refuseForeignChange({ method, headers }) {
  if (method === 'GET' || method === 'HEAD' || headers.origin === undefined) return;
  let host;
  try {
    ({ host } = new URL(headers.origin));
  } catch {
    // "null" and the like: certainly not this board's own page.
  }
  if (host !== headers.host)
    throw new Refusal(403, 'foreign_origin', 'Only the board’s own page may change the board.');
}

/** One request and the ways to answer it. */
class Call {
  constructor(request, response) {
    this.request = request;
    this.response = response;
  }

  json(status, value) {
    this.#send(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }, JSON.stringify(value));
  }

  empty(status) {
    this.#send(status, {}, '');
  }

  problem(status, code, detail, headers) {
    const body = JSON.stringify({ type: 'about:blank', title: detail, status, code });
    // A body that was refused is not read to its end, so the connection cannot be used again.
    const close = this.request.complete ? {} : { Connection: 'close' };
    this.#send(
      status,
      { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers, ...close },
      body,
    );
  }

  compressible(type, body) {
    const gzip = this.#acceptsGzip();
    this.#send(
      200,
      {
        'Content-Type': type,
        'Cache-Control': 'no-store',
        Vary: 'Accept-Encoding',
        ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
      },
      gzip ? gzipSync(body) : body,
    );
  }

  asset({ type, body, gzipped, tag }) {
    const headers = { 'Content-Type': type, 'Cache-Control': 'no-cache', ETag: tag, Vary: 'Accept-Encoding' };
    if (this.request.headers['if-none-match'] === tag) return this.#send(304, headers, '');
    if (this.#acceptsGzip()) this.#send(200, { ...headers, 'Content-Encoding': 'gzip' }, gzipped);
    else this.#send(200, headers, body);
  }

  #acceptsGzip() {
    return /\bgzip\b/.test(this.request.headers['accept-encoding'] ?? '');
  }

  #send(status, headers, body) {
    const length = status === 204 || status === 304 ? {} : { 'Content-Length': Buffer.byteLength(body) };
    this.response.writeHead(status, { ...securityHeaders, ...headers, ...length });
    this.response.end(this.request.method === 'HEAD' ? undefined : body);
  }
}
