const DAMAGED = "the checkpoint's files are damaged or incomplete: create it again";

/** Well-known ways in which CRIU, or the engine in front of it, refuses, with what to do. First match counts. */
const CRIU_PROBLEMS: readonly { readonly says: RegExp; readonly remedy: string }[] = [
  {
    says: /requires at least CRIU|criu: executable file not found|exec: "criu"/i,
    remedy:
      "CRIU is not installed where Podman's service looks for it, or is too old: install CRIU 4.2 or newer in " +
      "a folder of the service's PATH (`make setup` does)",
  },
  {
    says: /runtime does not support checkpoint|compiled without (CRIU|checkpoint)/i,
    remedy: "this container runtime cannot use CRIU: have Podman's service use runc",
  },
  {
    says: /Unexpected rt vDSO|vdso: .*bounds/i,
    remedy: 'this CRIU is older than the kernel: install CRIU 4.2 or newer',
  },
  {
    says: /Can't get 1:16 opt/,
    remedy: 'this CRIU cannot dump a TCP socket on a kernel from 6.16 on: install CRIU 4.2 or newer',
  },
  {
    says: /Can't get rlimit|Can't set rlimit|prlimit/i,
    remedy:
      'the host lacks CAP_SYS_RESOURCE, without which CRIU can only dump processes of root: run as root inside ' +
      'the container, or checkpoint on a host that has it',
  },
  {
    says: /tcp-established|Connected TCP socket|in-flight connection/i,
    remedy:
      'a TCP connection was open: end the requests that are still running and have the app keep none open to ' +
      'elsewhere, or set checkpoint.tcp_close to true in its template, and clones find it closed',
  },
  {
    says: /file-locks|file locks are hold/i,
    remedy: 'the app holds file locks: set checkpoint.file_locks to true in its template',
  },
  {
    says: /External socket is used|ext-unix-sk/i,
    remedy:
      'the app has a unix socket open to something outside, such as the database: ' +
      'it may connect only after its activation',
  },
  {
    says: /aio\b.*(?:context|ring)|io_uring/i,
    remedy:
      'the app uses asynchronous I/O of the kernel, which CRIU cannot dump: switch it off in the app (MariaDB: ' +
      'innodb_use_native_aio=0)',
  },
  {
    says: /Can't dump ghost file|ghost.*limit/i,
    remedy:
      'the app holds a large deleted file open: set checkpoint.ghost_limit above its size in the template, or have ' +
      'the app close or empty the file before the dump',
  },
  {
    says: /link-remap|link remap/i,
    remedy: 'the app holds a file open whose name is gone: set checkpoint.link_remap to true in its template',
  },
  { says: /inotify|fsnotify/i, remedy: "the app watches files: switch the watching off in the template's environment" },
  { says: /Unsupported device|Can't dump .*\/dev\//i, remedy: 'the app holds a device open, which CRIU cannot dump' },
  {
    says: /CPU (?:capabilities|instruction)|cpu: .*(?:not supported|mismatch|required)/i,
    remedy: 'the checkpoint was made on another kind of CPU: create it again on this host',
  },
  {
    says: /pages?(?:-\d+)?\.img|Can't read .*img|Can't open image|image.*magic|Magic doesn't match/i,
    remedy: DAMAGED,
  },
  { says: /Unexpected EOF|pagemap|pread|protobuf/i, remedy: DAMAGED },
  {
    says: /Cannot assign requested address/i,
    remedy: 'the app listens on the address its source had, which no clone has: have it listen on 0.0.0.0',
  },
  { says: /Address already in use|Can't bind/i, remedy: 'something else has the address the app listens on' },
  {
    says: /Operation not permitted|Permission denied|CAP_/,
    remedy:
      "CRIU lacks a privilege: Podman's service has to run as root, with CAP_SYS_ADMIN and CAP_CHECKPOINT_RESTORE",
  },
];

/**
 * CRIU says these in restores that succeed as well, where it lacks CAP_SYS_RESOURCE, or after the failure when its
 * helpers lose each other.
 */
const BESIDE_THE_POINT = /RLIMIT_NOFILE for self|cgroupd: recv req error/;

const LINES_KEPT = 8;
const LINE_LENGTH = 300;
const CONTEXT_LINES = 3;

/** CRIU's error lines out of one of its logs, without their timestamps; the last ones, each once. */
export function criuErrorLines(log: string): readonly string[] {
  const lines = log
    .split('\n')
    .map((line) =>
      line
        .replace(/^\([\d.]+\)\s*/, '')
        .trim()
        .slice(0, LINE_LENGTH),
    )
    .filter((line) => line !== '' && !BESIDE_THE_POINT.test(line));
  const errors = [...new Set(lines.filter((line) => line.includes('Error (')))].slice(-LINES_KEPT);
  if (errors.length !== 1) return errors;
  // A lone one only says that it failed; what it failed at stands before it.
  const at = lines.findIndex((line) => line.includes('Error ('));
  return lines.slice(Math.max(0, at - CONTEXT_LINES), at + 1);
}

/** What to do about it; undefined when none of the texts is a known one. */
export function criuRemedy(texts: readonly string[]): string | undefined {
  return CRIU_PROBLEMS.find(({ says }) => texts.some((text) => says.test(text)))?.remedy;
}
