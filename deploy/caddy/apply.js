#!/usr/bin/env node
// Has a running Caddy take up a changed Caddyfile without losing Try It Now's own server, "demo", as `caddy
// reload` would: a Caddyfile stands for the whole configuration, and "demo" is not in it. Nothing is
// reloaded when nothing has changed.
// usage: apply.js [CADDYFILE] [--force]     --force: reload all the same, for certificates renewed in files
// CADDY_ADMIN_URL is heeded, as by the server; without it, as in a hook that renews certificates, what the settings of
// this host say, then where the shipped Caddyfiles have it. Exit code 1 when Caddy does not answer or refuses; it then
// goes on as it was. A socket of the admin API is opened to the group of its folder (Caddy 2.7 and newer), where the
// Caddyfile does not say for whom it is.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

const USUAL = 'http://127.0.0.1:2019';
const SHIPPED = '/run/try-it-now-caddy/admin.sock';
const SOCKET_MODE = '|0220';
const SETTINGS = '/etc/try-it-now/try-it-now.env';
let admin = process.env.CADDY_ADMIN_URL || addressInSettings() || (existsSync(SHIPPED) ? `unix://${SHIPPED}` : USUAL);
const force = process.argv.includes('--force');
const caddyfile = process.argv.slice(2).find((argument) => !argument.startsWith('--')) ?? '/etc/caddy/Caddyfile';

/** Undefined also for who may not read them; the last of several lines counts, as for systemd. */
function addressInSettings() {
  try {
    const given = readFileSync(SETTINGS, 'utf8').matchAll(/^CADDY_ADMIN_URL=(["']?)(.*?)\1\s*$/gm);
    return [...given].at(-1)?.[2];
  } catch {
    return undefined;
  }
}

/** Not by fetch: newer versions of Caddy take its headers for a browser's and refuse them. */
function ask(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const all = { 'Content-Type': 'application/json', ...headers };
    // Over a socket Caddy 2.6 takes no host's name at all, and later ones take any.
    const sent = admin.startsWith('unix://')
      ? request({
          socketPath: admin.slice('unix://'.length),
          path,
          method,
          agent: false,
          setHost: false,
          headers: { Host: '', ...all },
        })
      : request(new URL(path, admin), { method, agent: false, headers: all });
    sent.once('response', (response) => {
      text(response).then(
        (answer) => resolve({ status: response.statusCode, ok: response.statusCode === 200, answer }),
        reject,
      );
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/**
 * A Caddy that took up what ran last is where that had it, until it has read the Caddyfile that names the socket. One
 * older than 2.7 takes the mode that a newer one was given for a part of the path.
 */
async function findDemo() {
  const ours = () => ask('GET', '/config/apps/http/servers/demo');
  const named = admin;
  try {
    return await ours();
  } catch (error) {
    // ECONNREFUSED: the socket of the version before is still there.
    if (!['ENOENT', 'ECONNREFUSED'].includes(error.code) || !admin.startsWith('unix://')) throw error;
    for (const other of [`${named}${SOCKET_MODE}`, USUAL]) {
      admin = other;
      const found = await ours().catch(() => undefined);
      if (found !== undefined) return found;
    }
    admin = named;
    throw error;
  }
}

/**
 * Where the Caddyfile says nothing of the mode, the group of the socket's folder may open it, which the server is in:
 * from 2.7 on Caddy lets in the socket's owner alone, whatever the umask.
 */
function openToGroup({ admin: wanted }) {
  if (!wanted?.listen?.startsWith('unix/') || wanted.listen.includes('|')) return;
  const installed = execFileSync('caddy', ['version'], { encoding: 'utf8' });
  if (!/^v?2\.[0-6]\./.test(installed) && !runsOlder()) wanted.listen += SOCKET_MODE;
}

/** Whether the Caddy that runs is not yet the installed one: before 2.7 a socket is as the kernel makes it. */
function runsOlder() {
  return admin.startsWith('unix://') && (statSync(admin.slice('unix://'.length)).mode & 0o100) !== 0;
}

try {
  const config = JSON.parse(
    execFileSync('caddy', ['adapt', '--config', caddyfile, '--adapter', 'caddyfile'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const found = await findDemo();
  openToGroup(config);
  if (found.status === 403) throw new Error(`Caddy does not take requests of this program: ${found.answer.trim()}`);
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
    ['ECONNREFUSED', 'ENOENT', 'EACCES'].includes(error.code)
      ? `Caddy's admin API does not answer at ${admin} (${error.code}); start Caddy, run this as root, or set ` +
          'CADDY_ADMIN_URL'
      : error.message,
  );
  process.exitCode = 1;
}
