#!/usr/bin/env node
// Has a running Caddy take up a changed Caddyfile without losing Try It Now's own server, "demo", as `caddy
// reload` would: a Caddyfile stands for the whole configuration, and "demo" is not in it. Nothing is
// reloaded when nothing has changed.
// usage: apply.js [CADDYFILE] [--force]     --force: reload all the same, for certificates renewed in files
// CADDY_ADMIN_URL is heeded, as by the server. Exit code 1 when Caddy does not answer or refuses; it then
// goes on as it was.
import { execFileSync } from 'node:child_process';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

const admin = process.env.CADDY_ADMIN_URL || 'http://127.0.0.1:2019';
const force = process.argv.includes('--force');
const caddyfile = process.argv.slice(2).find((argument) => !argument.startsWith('--')) ?? '/etc/caddy/Caddyfile';

/** Not by fetch: newer versions of Caddy take its headers for a browser's and refuse them. */
function ask(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, admin), {
      method,
      agent: false,
      headers: { 'Content-Type': 'application/json', ...headers },
    });
    sent.once('response', (response) => {
      text(response).then((answer) => resolve({ ok: response.statusCode === 200, answer }), reject);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

try {
  const config = JSON.parse(
    execFileSync('caddy', ['adapt', '--config', caddyfile, '--adapter', 'caddyfile'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const found = await ask('GET', '/config/apps/http/servers/demo');
  const demo = found.ok ? JSON.parse(found.answer) : null;
  if (demo !== null) {
    config.apps ??= {};
    config.apps.http ??= {};
    config.apps.http.servers = { ...config.apps.http.servers, demo };
  }
  const loaded = await ask(
    'POST',
    '/load',
    JSON.stringify(config),
    force ? { 'Cache-Control': 'must-revalidate' } : {},
  );
  if (!loaded.ok) throw new Error(`Caddy refuses ${caddyfile} and goes on as it was: ${loaded.answer.trim()}`);
  console.log(
    'Caddy has taken up ' +
      `${caddyfile}${demo === null ? '; Try It Now’s own server is not there yet and comes when that starts' : ''}`,
  );
} catch (error) {
  console.error(
    error.code === 'ECONNREFUSED'
      ? `Caddy's admin API does not answer at ${admin}; start Caddy or set CADDY_ADMIN_URL`
      : error.message,
  );
  process.exitCode = 1;
}
