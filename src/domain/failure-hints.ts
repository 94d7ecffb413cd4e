/** What an app or an engine says when something forbids it what it needs, and the key that allows it. */
import type { TemplateChange } from './template-change.ts';

export interface Hint {
  readonly what: string;
  readonly remedy: string;
  readonly change?: TemplateChange;
}

/** A refusal and what was refused, on one line and in either order. */
function refused(calls: string, refusal = 'not permitted|EPERM'): RegExp {
  return new RegExp(`(${calls})[^\\n]*(${refusal})|(${refusal})[^\\n]*(${calls})`, 'i');
}

function capabilities(what: string, names: string): Hint {
  const change = { kind: 'capabilities', add: names.split(', ') } as const;
  return { what, remedy: `Add ${names} to capabilities of the template`, change };
}

/** The first that fits counts. */
export const HINTS: readonly (readonly [says: RegExp, hint: Hint])[] = [
  [
    /exec format error|cannot execute binary file|wrong architecture/i,
    {
      what: 'wrong architecture',
      remedy: `The image is for another processor than this host's (${process.arch}); build or pull it for this one`,
    },
  ],
  [
    /inotify|ENOSPC[^\n]*watch|too many open files[^\n]*watch|file watchers reached/i,
    {
      what: 'inotify limit',
      remedy: 'Raise fs.inotify.max_user_watches and max_user_instances on the host (sysctl), or switch watching off',
    },
  ],
  [
    // Browsers, bubblewrap, unshare, rootless engines, FUSE.
    new RegExp(
      'new namespace|no usable sandbox|cannot clone|' +
        '\\b(unshare|mount|fusermount|keyctl)\\b[^\\n]*(not permitted|not implemented)',
      'i',
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
    refused('set(e|res)?uid|gosu|su-exec|switch(ing|ed)?', 'not permitted|EPERM|failed'),
    capabilities('it may not change its user', 'SETUID, SETGID'),
  ],
  [refused('chown|changing (ownership|group) of'), capabilities('it may not change owners of files', 'CHOWN')],
  [refused('chmod|changing permissions of'), capabilities('it may not change modes of files', 'FOWNER')],
  [refused('chroot'), capabilities('it may not chroot', 'SYS_CHROOT')],
  [
    refused('bind|listen', 'permission denied|EACCES'),
    capabilities('it may not listen on that port', 'NET_BIND_SERVICE'),
  ],
  [
    /EADDRNOTAVAIL|cannot assign requested address/i,
    {
      what: 'it listens on an address that the container does not have',
      remedy: "Set the app's listen address to 0.0.0.0, by env or args of the template",
    },
  ],
  [
    refused('mkdir|open|touch|create|write|EACCES', 'permission denied'),
    {
      what: 'a file may not be opened',
      remedy:
        'The files of the image belong to another user than the app runs as: fix their owner in the image, name the ' +
        'user, or add DAC_OVERRIDE to capabilities of the template',
      change: { kind: 'capabilities', add: ['DAC_OVERRIDE'] },
    },
  ],
  [
    /read-only file system|EROFS/i,
    {
      what: 'a read-only file system',
      remedy: 'Have it write below /tmp, name that folder in tmpfs of the template, or leave read_only out',
    },
  ],
  [
    /no space left on device|ENOSPC/i,
    {
      what: 'a full file system',
      remedy: 'Free space on the host; /tmp holds half of limits.memory, and /dev/shm what limits.shm says',
    },
  ],
  [
    /resource temporarily unavailable|can't start new thread|pthread_create|EAGAIN[^\n]*(fork|spawn)|cannot fork/i,
    { what: 'no further process', remedy: 'Raise limits.pids of the template', change: { kind: 'more_pids' } },
  ],
  [
    /executable file not found|exec: "?[^\n]*no such file or directory|stat [^\n]*: no such file or directory/i,
    {
      what: 'its command is not in the image',
      remedy: 'Name a command that the image has: entrypoint, command and args of the template',
    },
  ],
  [
    /operation not permitted|EPERM/i,
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
