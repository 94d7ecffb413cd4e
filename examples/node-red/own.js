// Two clones of one checkpoint have the same random state, so they would hand out the same session tokens. From the
// activation on, an instance's random bytes are mixed with a stream that its own seed begins.
const crypto = require('node:crypto');

let seed;
let drawn = 0;
const drawBytes = crypto.randomBytes;

crypto.randomBytes = function randomBytes(size, callback) {
  if (seed === undefined) return drawBytes.call(this, size, callback);
  const mixed = mix(drawBytes.call(this, size));
  if (callback === undefined) return mixed;
  process.nextTick(callback, null, mixed);
  return undefined;
};

function mix(bytes) {
  drawn += 1;
  const stream = crypto.createHash('shake256', { outputLength: Math.max(1, bytes.length) });
  stream.update(seed).update(String(drawn));
  const own = stream.digest();
  return Buffer.from(bytes.map((byte, at) => byte ^ own[at]));
}

/** POST /.try-it-now/activate, once, with the body of an activation; GET /.try-it-now/identity. */
function middleware(request, response, next) {
  const path = request.path ?? request.url;
  if (path === '/.try-it-now/activate' && request.method === 'POST') activate(request, response);
  else if (path === '/.try-it-now/identity') response.end(identity());
  else next();
}

function identity() {
  return seed === undefined ? '' : crypto.createHash('sha256').update('identity').update(seed).digest('hex');
}

function activate(request, response) {
  let text = '';
  request.on('data', (chunk) => {
    text += chunk;
  });
  request.on('end', () => {
    if (seed !== undefined) {
      response.statusCode = 409;
      response.end('This instance has been activated.\n');
      return;
    }
    try {
      const given = JSON.parse(text).seed;
      if (!/^[0-9a-f]{64}$/.test(given)) throw new Error('seed must be 64 hexadecimal digits');
      seed = given;
      response.end('ok\n');
    } catch (error) {
      response.statusCode = 400;
      response.end(`${error.message}\n`);
    }
  });
}

module.exports = { middleware };
