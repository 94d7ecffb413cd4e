/** What an app or an engine says when something forbids it what it needs, and the key that allows it. */
import type { TemplateChange } from './template-change.ts';

export interface Hint {
  readonly what: string;
  readonly remedy: string;
  readonly change?: TemplateChange;
}

/**
 * A refusal and what was refused, on one line and in either order. The names of errors are whole words: CreateAccess
 * and filePermissions are none.
 */
function refused(calls: string, refusal = String.raw`not permitted|\bEPERM\b`): RegExp {
  return new RegExp(`(${calls})[^\\n]*(${refusal})|(${refusal})[^\\n]*(${calls})`, 'i');
}

function either(...patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => source).join('|'), 'i');
}

function capabilities(what: string, names: string): Hint {
  const change = { kind: 'capabilities', add: names.split(', ') } as const;
  return { what, remedy: `Add ${names} to capabilities of the template`, change };
}

/**
 * The first that fits counts. Each is what a failure says, never a word alone: the output of an app that failed for
 * another reason has all that it wrote while it was well.
 */
export const HINTS: readonly (readonly [says: RegExp, hint: Hint])[] = [
  [
    /exec format error|cannot execute binary file|wrong architecture/i,
    {
      what: 'wrong architecture',
      remedy: `The image is for another processor than this host's (${process.arch}); build or pull it for this one`,
    },
  ],
  [
    either(
      refused(
        String.raw`inotify|\bfsnotify\b|\bwatch(es|ers?)?\b`,
        String.raw`too many open files|no space left|\b(EMFILE|ENOSPC)\b`,
      ),
      /inotify[^\n]*\b(limit|instances|watch(es)?)\b[^\n]*\b(reached|exceeded|too low)\b/,
      /inotify[^\n]*\bexhausted\b|file watchers reached/,
    ),
    {
      what: 'inotify limit',
      remedy: 'Raise fs.inotify.max_user_watches and max_user_instances on the host (sysctl), or switch watching off',
    },
  ],
  [
    // Browsers, bubblewrap, unshare, rootless engines, FUSE.
    either(
      /no usable sandbox|no permissions? to creat(e|ing) (a )?new namespace/,
      /(new namespace|cannot clone|\b(unshare|mount|fusermount|keyctl)\b)[^\n]*(not permitted|not implemented)/,
    ),
    {
      what: 'a system call that instances may not make',
      remedy:
        'Have the app do without (a browser: --no-sandbox), or allow the call in a filter of its own, seccomp of the ' +
        'template',
    },
  ],
  [refused('setgroups|initgroups|set(e|res)?gid'), capabilities('it may not change its group', 'SETGID, SETUID')],
  [
    refused(String.raw`set(e|res)?uid|set user id|\b(gosu|su-exec)\b|\bswitch(ing|ed)? to\b`),
    capabilities('it may not change its user', 'SETUID, SETGID'),
  ],
  [refused('chown|changing (ownership|group) of'), capabilities('it may not change owners of files', 'CHOWN')],
  [refused('chmod|changing permissions of'), capabilities('it may not change modes of files', 'FOWNER')],
  [refused('chroot'), capabilities('it may not chroot', 'SYS_CHROOT')],
  [
    // Not a part of a path, such as /etc/bind/named.conf.
    refused(
      String.raw`(?<![\w/-])(bind(ing|exception)?|listen(ing)?)(?![\w/-]|\.\w)`,
      String.raw`permission denied|\bEACCES\b`,
    ),
    capabilities('it may not listen on that port', 'NET_BIND_SERVICE'),
  ],
  [
    // Who connects says the same of a server that is not there by IPv6, and goes on.
    /^(?!.*\b(connect(ing|ed)?|dial)\b).*(\bEADDRNOTAVAIL\b|cannot assign requested address)/im,
    {
      what: 'it listens on an address that the container does not have',
      remedy: "Set the app's listen address to 0.0.0.0, by env or args of the template",
    },
  ],
  [
    // A database's refusal goes on with what it was of.
    refused(
      '(?<![a-z])(mkd(ir|temp)[a-z]*|(rb_sys|f)?open(at|ing)?|touch|creat(e|ing)|writ(e|ing)|EACCES)(?![a-z])',
      String.raw`permission denied(?! (to|for)\b)`,
    ),
    {
      what: 'a file may not be opened',
      remedy:
        'The files of the image belong to another user than the app runs as: fix their owner in the image, name the ' +
        'user, or add DAC_OVERRIDE to capabilities of the template',
      change: { kind: 'capabilities', add: ['DAC_OVERRIDE'] },
    },
  ],
  [
    /[:(\]] ?(30: ?)?read-only file system|\bEROFS\b/i,
    {
      what: 'a read-only file system',
      remedy: 'Have it write below /tmp, name that folder in tmpfs of the template, or leave read_only out',
    },
  ],
  [
    /no space left on device|\bENOSPC\b/i,
    {
      what: 'a full file system',
      remedy: 'Free space on the host; /tmp holds half of limits.memory, and /dev/shm what limits.shm says',
    },
  ],
  [
    // Sockets and locks say of themselves, too, that they are temporarily unavailable.
    either(
      refused(
        String.raw`(?<![a-z])(v?fork|clone|spawn(ing)?|exec)(?![a-z])|pthread_create|\b(create|start)\b[^\n]*\bthread`,
        String.raw`resource temporarily unavailable|\bEAGAIN\b`,
      ),
      /can't start new thread|unable to create (new )?native thread|pthread_create[^\n]*fail|cannot fork/,
    ),
    { what: 'no further process', remedy: 'Raise limits.pids of the template', change: { kind: 'more_pids' } },
  ],
  [
    // What an engine says of the first process; an app's own `stat` of a file that it can do without is none.
    /executable file [^\n]*not found|\bexec: "[^\n]*no such file or directory/i,
    {
      what: 'its command is not in the image',
      remedy: 'Name a command that the image has: entrypoint, command and args of the template',
    },
  ],
  [
    /operation not permitted|\bEPERM\b/i,
    {
      what: 'the operation is not permitted',
      remedy:
        'Name what it needs in capabilities of the template: CHOWN and FOWNER for owners of files, SETUID and SETGID ' +
        'for a change of user, DAC_OVERRIDE for files of other users',
      change: { kind: 'capabilities', add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'] },
    },
  ],
];

export function hintIn(text: string): Hint | undefined {
  return HINTS.find(([says]) => says.test(text))?.[1];
}
