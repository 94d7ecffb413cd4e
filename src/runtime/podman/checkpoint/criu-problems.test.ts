import { expect, it } from 'vitest';
import { criuErrorLines, criuRemedy } from './criu-problems.ts';

/** Lines as CRIU and Podman wrote them here, and what a person is told to do. */
it.each([
  [
    'Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.',
    /end the requests/,
  ],
  [
    'Error (criu/file-lock.c:111): Some file locks are hold by dumping tasks! You can try --file-locks to dump them.',
    /file_locks to true/,
  ],
  ["Error (compel/src/lib/infect-util.c:19): Can't get rlimit 0: Operation not permitted", /CAP_SYS_RESOURCE/],
  [
    "Error (criu/files-reg.c:1031): Can't dump ghost file /var/tmp/g of 5242880 size, increase limit",
    /checkpoint\.ghost_limit above its size/,
  ],
  [
    "Error (criu/sk-inet.c:1059): inet: Can't bind inet socket (id 38): Cannot assign requested address",
    /listen on 0\.0\.0\.0/,
  ],
  ["Error (criu/files-reg.c:1400): Can't create link remap for /a. Use link-remap option.", /link_remap to true/],
  ['Error (criu/vdso.c:290): vdso: Unexpected rt vDSO area bounds', /older than the kernel/],
  ["Error (criu/sockets.c:495): sockets: Can't get 1:16 opt: Operation not supported", /6\.16/],
  [
    'Error (criu/sk-unix.c:917): unix: External socket is used. Consider using --ext-unix-sk option.',
    /only after its activation/,
  ],
  ['checkpoint/restore requires at least CRIU 31100', /CRIU 4\.2 or newer/],
  [
    'Error (criu/protobuf.c:93): Read 8 bytes while 2299 expected from core-1.img: No such file or directory',
    /damaged or incomplete/,
  ],
])('knows what to do about: %s', (line, remedy) => {
  expect(criuRemedy([line])).toMatch(remedy);
});

it('has no advice for what it does not know', () => {
  expect(criuRemedy(['Error (criu/cr-restore.c:2331): Restoring FAILED.'])).toBeUndefined();
});

it('takes the error lines out of a log, each once, without what is beside the point', () => {
  const log = [
    "(00.040767) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted",
    '(00.050000)      1: Opened image',
    '(00.060000) Error (criu/a.c:1): first',
    '(00.070000) Error (criu/b.c:2): second',
    '(00.080000) Error (criu/a.c:1): first',
    '(00.105138) Error (criu/cgroup.c:2055): cg: cgroupd: recv req error: No such file or directory',
    '',
  ].join('\n');
  expect(criuErrorLines(log)).toEqual(['Error (criu/a.c:1): first', 'Error (criu/b.c:2): second']);
  expect(criuErrorLines('(00.1) all is well\n')).toEqual([]);
});

it('shows what stands before an error that only says that it failed', () => {
  const log = [
    '(00.1) one',
    '(00.2) two',
    '(00.3)      1: No pagemap-1.img image',
    '(00.4) mnt: Switching',
    '(00.5) Error (criu/cr-restore.c:2331): Restoring FAILED.',
    '(00.6) end',
  ].join('\n');
  expect(criuErrorLines(log)).toEqual([
    'two',
    '1: No pagemap-1.img image',
    'mnt: Switching',
    'Error (criu/cr-restore.c:2331): Restoring FAILED.',
  ]);
});
