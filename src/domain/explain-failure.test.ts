import { expect, it } from 'vitest';
import { template } from '../../test/support/templates.ts';
import { explainFailure, explainUnready } from './explain-failure.ts';
import type { FailureFacts } from './failure-facts.ts';

const LATE = { code: 'not_ready_in_time', message: 'http://127.0.0.1:1/ did not answer' } as const;
const EXITED = { code: 'container_exited', message: 'The container ended' } as const;
const shop = template({ port: 3000, limits: { memoryBytes: 256 * 2 ** 20, cpus: 1, pids: 10 } });
const base: FailureFacts = {
  template: shop,
  step: LATE,
  ended: undefined,
  oomKills: 0,
  listening: undefined,
  seen: { kind: 'refused' },
  output: '',
};
const exit = (exitCode: number, output = '', oomKilled = false): Partial<FailureFacts> => ({
  step: EXITED,
  ended: { exitCode, oomKilled },
  output,
});
const answers = (status: number, path = '/', from?: string): Partial<FailureFacts> => ({
  seen: { kind: 'answered', status, path, host: 'x.localhost:8000', ...(from === undefined ? {} : { from }) },
  listening: [{ address: '0.0.0.0', port: 3000 }],
});

it.each<[string, Partial<FailureFacts>, string, RegExp, RegExp]>([
  [
    'an exit with its last words',
    exit(3, 'starting\nFATAL: no licence key in LICENCE_KEY\n'),
    'container_exited',
    /^it ended with exit code 3 before it was ready; it said: FATAL: no licence key in LICENCE_KEY$/,
    /env, command/,
  ],
  [
    'an exit whose reason stands above its stack trace',
    exit(1, "Error: Cannot find module 'x'\n    at a (b.js:1)\n    at c (d.js:2)\n\nNode.js v20.1.0\n"),
    'container_exited',
    /Cannot find module/,
    /./,
  ],
  ['a command that is done', exit(0), 'container_exited', /exit code 0 .*wrote nothing/, /foreground/],
  ['a crash by a signal', exit(139), 'container_exited', /ended by SIGSEGV/, /./],
  ['the kernel', exit(137, '', true), 'out_of_memory', /killed for memory at 256 MiB/, /limits\.memory/],
  ['what is most likely the kernel', exit(137), 'out_of_memory', /most likely for memory/, /limits\.memory/],
  [
    'a runtime with a limit of its own',
    exit(134, 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'),
    'out_of_memory',
    /out of memory at 256 MiB/,
    /limits\.memory/,
  ],
  [
    'the kernel, which killed a child',
    { oomKills: 2 },
    'out_of_memory',
    /2 of its processes were killed/,
    /limits\.memory/,
  ],
  [
    'loopback',
    { listening: [{ address: '127.0.0.1', port: 3000 }] },
    'not_ready_in_time',
    /listens on 127\.0\.0\.1:3000 inside; it must listen on 0\.0\.0\.0/,
    /0\.0\.0\.0/,
  ],
  ['loopback of IPv6', { listening: [{ address: '::1', port: 3000 }] }, 'not_ready_in_time', /::1:3000/, /0\.0\.0\.0/],
  [
    'another port, through a relay that accepts',
    {
      listening: [{ address: '::', port: 8080 }],
      seen: { kind: 'broken', words: 'connection closed before an answer' },
    },
    'not_ready_in_time',
    /listens on 8080, the template says port 3000/,
    /port: 8080/,
  ],
  [
    'loopback at another port',
    { listening: [{ address: '127.0.0.1', port: 9 }] },
    'not_ready_in_time',
    /127\.0\.0\.1:9 inside, and nothing on port 3000/,
    /port: 9/,
  ],
  ['nobody', { listening: [] }, 'not_ready_in_time', /nothing in it listens/, /readiness\.timeout/],
  ['an app that cannot be looked into', {}, 'not_ready_in_time', /was not ready within/, /0\.0\.0\.0:3000/],
  [
    'a password',
    answers(401),
    'not_ready_in_time',
    /status 401 to Host x\.localhost:8000/,
    /set readiness: \{ http: \{ path: \/, status: \[200-399, 401\] \} \}; otherwise let \/ in/,
  ],
  [
    'a host that is not allowed',
    answers(403),
    'not_ready_in_time',
    /status 403/,
    /public name.* status: \[200-399, 403\]/,
  ],
  ['a host that is not known', answers(400), 'not_ready_in_time', /status 400/, /public name/],
  ['a path that is not there', answers(404), 'not_ready_in_time', /status 404/, /readiness: \{ http: .*\}, and open/],
  ['another page', answers(500, '/home'), 'not_ready_in_time', /^it answers \/home with status 500/, /output/],
  ['a page that leads to an error', answers(500, '/home', '/'), 'not_ready_in_time', /^\/ leads to \/home/, /output/],
  ['another status', answers(418), 'not_ready_in_time', /status 418/, /status: \[200-399, 418\]/],
  [
    'an app that insists on https',
    { seen: { kind: 'circles', path: '/', toHttps: true }, listening: [] },
    'not_ready_in_time',
    /^it sends its visitors to https again and again \(at \/\), and they come by http$/,
    /env .*PUBLIC_SCHEME/,
  ],
  [
    'redirects without end',
    { seen: { kind: 'circles', path: '/a', toHttps: false }, listening: [] },
    'not_ready_in_time',
    /^it redirects its visitors without end, the last time to \/a$/,
    /X-Forwarded-Proto/,
  ],
  [
    'a port that speaks TLS',
    { seen: { kind: 'tls' }, listening: [] },
    'not_ready_in_time',
    /^port 3000 speaks https, and the proxy speaks plain http to apps$/,
    /http port.*, or switch TLS off/,
  ],
  [
    'a port that speaks TLS beside another',
    {
      seen: { kind: 'tls' },
      listening: [
        { address: '::', port: 3000 },
        { address: '::', port: 8080 },
      ],
    },
    'not_ready_in_time',
    /^port 3000 speaks https.*; it listens on 8080, too$/,
    /port of the template: 8080/,
  ],
  [
    'slowness',
    { seen: { kind: 'silent', afterMs: 10_000 }, listening: [{ address: '0.0.0.0', port: 3000 }] },
    'not_ready_in_time',
    /did not answer GET \/ within 10000 ms/,
    /readiness\.request_timeout \(10000 ms\)/,
  ],
  [
    'a start that the engine refused',
    { step: { code: 'container_failed', message: 'exec: "nope": executable file not found in $PATH' } },
    'container_failed',
    /executable file not found/,
    /command and args/,
  ],
  [
    'a service beside the app',
    { step: { code: 'container_failed', message: 'The service db (a) ended with exit code 2', service: 'db' } },
    'container_failed',
    /^The service db/,
    /services of the template/,
  ],
  [
    'what a service may not do',
    { step: { code: 'container_failed', message: 'The service db (a) ended: chown: EPERM', service: 'db' } },
    'container_failed',
    /chown/,
    /Add CHOWN to capabilities of the template \(its service db\)/,
  ],
])('blames %s', (_, facts, code, reason, remedy) => {
  const explained = explainFailure({ ...base, ...facts });
  expect(explained.code).toBe(code);
  expect(explained.reason).toMatch(reason);
  expect(explained.remedy).toMatch(remedy);
});

it.each<[string, RegExp]>([
  ['exec /app/server: exec format error', /processor/],
  ['setgid(33) failed (1: Operation not permitted)', /SETGID, SETUID/],
  ['error: failed switching to "node": operation not permitted', /SETUID, SETGID/],
  ['initgroups(www-data, 33) failed: Operation not permitted', /SETGID/],
  ["chown: changing ownership of '/data': Operation not permitted", /CHOWN/],
  ['chown(/var/lib/x): EPERM', /CHOWN/],
  ['nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)', /NET_BIND_SERVICE/],
  ['Error: listen EACCES: permission denied 0.0.0.0:80', /NET_BIND_SERVICE/],
  ['Error: listen EADDRNOTAVAIL: address not available 10.0.0.9:3000', /0\.0\.0\.0/],
  ["Error: ENOSPC: System limit for number of file watchers reached, watch '/x'", /max_user_watches/],
  ['inotify_init1: Too many open files', /max_user_instances/],
  ['failed to create fsnotify watcher: too many open files', /max_user_instances/],
  ['OSError: [Errno 28] inotify watch limit reached', /max_user_watches/],
  [
    'System.IO.IOException: The configured user limit (128) on the number of inotify instances has been reached',
    /max_user_instances/,
  ],
  ['tail: inotify resources exhausted', /max_user_watches/],
  ["RuntimeError: can't start new thread", /limits\.pids/],
  ['sh: 1: Cannot fork', /limits\.pids/],
  ['OSError: [Errno 28] No space left on device', /shm/],
  ['mkdir: cannot create directory: Read-only file system', /\/tmp/],
  ["Error: EACCES: permission denied, mkdir '/data'", /DAC_OVERRIDE/],
  ['mknod: /dev/x: Operation not permitted', /capabilities/],
  ['unshare: unshare failed: Operation not permitted', /seccomp/],
  ['bwrap: Creating new namespace failed: Function not implemented', /seccomp/],
  ['[1:1:ERROR:zygote_host_impl_linux.cc(90)] No usable sandbox! Update your kernel', /--no-sandbox/],
  ['fusermount: mount failed: Operation not permitted', /seccomp/],
  ['Failed to move to new namespace: PID namespaces supported, but failed: errno = Operation not permitted', /seccomp/],
  ['java.net.BindException: Permission denied (Bind failed)', /NET_BIND_SERVICE/],
  ['Errno::EACCES: Permission denied @ rb_sysopen - /app/log/production.log', /DAC_OVERRIDE/],
  ['nginx: [emerg] open() "/run/nginx.pid" failed (30: Read-only file system)', /\/tmp/],
  ['runtime/cgo: pthread_create failed: Resource temporarily unavailable', /limits\.pids/],
  ['bash: fork: retry: Resource temporarily unavailable', /limits\.pids/],
  ['Error: spawn /bin/sh EAGAIN', /limits\.pids/],
  ['exec: "/nope": stat /nope: no such file or directory: unknown', /entrypoint, command/],
])('knows the key for %s', (output, remedy) => {
  expect(explainFailure({ ...base, ...exit(1, output) }).remedy).toMatch(remedy);
});

it.each([
  'watching /srv with inotify',
  'inotify: 8192 watches, limit 524288',
  'watch: reconnecting, 3 of 3 attempts',
  'temporal: registered new namespace default',
  'worker 2 failed, switched to worker 3',
  'loaded the class RolePermission, storePermissions on',
  'bound CreateAccessToken to the listener',
  'reading /etc/bind/named.conf: permission denied',
  'dial tcp [::1]:6379: connect: cannot assign requested address',
  'ERROR: permission denied for schema public at CREATE TABLE',
  'Checking for a read-only file system: none',
  'storage engine: zerofs',
  'recv() failed (11: Resource temporarily unavailable) while reading upstream',
  'at __pthread_create_2_1 (libpthread.so.0)',
  'no overrides: stat /etc/app/local.yaml: no such file or directory',
])('takes %s for no reason', (output) => {
  expect(explainFailure({ ...base, ...exit(3, `${output}\nbye\n`) })).toEqual({
    code: 'container_exited',
    reason: expect.stringMatching(/^it ended with exit code 3 before it was ready; it said: /) as string,
    remedy: expect.stringMatching(/^Give it what it asks for/) as string,
  });
});

it('takes the options of a JVM for no lack of memory', () => {
  const output = 'JVM arguments [-XX:+HeapDumpOnOutOfMemoryError, -XX:+ExitOnOutOfMemoryError]\nHeap limit: 1g\nbye\n';
  expect(explainFailure({ ...base, ...exit(3, output) }).code).toBe('container_exited');
});

const open = { address: '0.0.0.0', port: 3000 };
it.each<[string, Partial<FailureFacts>, RegExp | undefined]>([
  ['an app on loopback', { listening: [{ address: '127.0.0.1', port: 3000 }] }, /must listen on 0\.0\.0\.0/],
  ['an app on another port', { listening: [{ address: '::', port: 8080 }] }, /listens on 8080/],
  ['an answer that is not wanted', answers(401), /status 401/],
  ['a page that leads to an error', answers(500, '/home', '/'), /leads to \/home.* status 500/],
  ['an app that insists on https', { seen: { kind: 'circles', path: '/', toHttps: true } }, /https again and again/],
  ['an app that speaks TLS', { seen: { kind: 'tls' } }, /speaks https/],
  ['an app that takes long', { listening: [open], seen: { kind: 'silent', afterMs: 5_000 } }, /5000 ms/],
  ['a child that was killed', { oomKills: 1, listening: [] }, /was killed for memory/],
  ['one of which a part listens already', { listening: [{ address: '127.0.0.1', port: 9000 }] }, undefined],
  ['one that does not listen yet', { listening: [] }, undefined],
  ['one that nothing is known of', {}, undefined],
  ['one that was not asked yet', { listening: [open], seen: undefined }, undefined],
])('tells of one that still runs: %s', (_, facts, reason) => {
  const found = explainUnready({ ...base, ...facts });
  if (reason === undefined) expect(found).toBeUndefined();
  else expect(found?.reason).toMatch(reason);
});
