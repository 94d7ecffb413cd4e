/** What the kernel answers to the programs of attacks/, and what it has to answer in an instance. */
import { constants } from 'node:os';

const { EPERM, EINVAL, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT } = constants.errno;

const ETC_FILES = ['/etc/hosts kept', '/etc/hostname kept', '/etc/resolv.conf kept'];
/** What engine-files.pl has to write. */
export const KEPT_FILES = { podman: [...ETC_FILES, '/run/.containerenv kept'], docker: ETC_FILES } as const;

/** Runs one of the programs; what it wrote. */
export type RunAttack = (attack: string, query: string) => Promise<string>;

/** What was tried → `done`, the number of an error, `killed`, or `absent` where this architecture lacks it. */
export type Answers = Readonly<Record<string, string>>;

const [CLONE_FILES, CLONE_THREAD] = [0x400, 0x10000];
const CLONE_NEWUSER = 0x10000000;
const FORK = 17;
const [CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC] = [2, 4];

/** Made so that the kernel itself answers otherwise wherever it can. */
const REFUSED: Readonly<Record<number, readonly string[]>> = {
  [EPERM]: [
    'unshare,0',
    'setns,-1,0',
    'keyctl,0,-3,1',
    'add_key,user,x,x,1,-2',
    'request_key,user,x,x,0',
    'mount,x,/tmp,tmpfs,0,0',
    'umount2,/tmp,0',
    'pivot_root,/x,/y',
    'open_tree,-100,/,0',
    'move_mount,-1,x,-1,x,0',
    'mount_setattr,-1,x,0,0,0',
    'fsopen,tmpfs,0',
    'fspick,-1,x,0',
    'modify_ldt,0,0,0',
    'bpf,-1,0,0',
    'perf_event_open,0,0,0,-1,0',
    'userfaultfd,1',
    'memfd_secret,0',
    'fanotify_init,512,0',
    'quotactl,0,x,0,0',
    'vmsplice,-1,0,0,0',
    'kcmp,1,1,99,0,0',
    'process_madvise,-1,0,0,0,0',
    'acct,x',
    'syslog,10,0,0',
    'settimeofday,0,0',
    'ioperm,1,1,0',
    'iopl,0',
    'setdomainname,x,0',
    'sethostname,x,-1',
    'mbind,0,0,0,0,0,0',
    'set_mempolicy,0,0,0',
    'open_by_handle_at,-1,0,0',
    'swapon,x,0',
    'kexec_load,0,0,0,0',
  ],
  [EINVAL]: [`close_range,5000,5000,${CLOSE_RANGE_UNSHARE}`],
  [ENOSYS]: ['clone3,0,0', 'io_uring_setup,0,0', 'io_uring_register,-1,0,0,0'],
};

/** Answered as all that the filter does not name, for which not every engine takes the error from the filter. */
const CLONE_WITH_NEW = `clone,${CLONE_NEWUSER + FORK},0,0,0,0`;
/** The kernel takes neither for a thread, since a part is missing: so nothing is made, whatever the filter says. */
const THREAD_WITH_OWN_FILES = `clone,${CLONE_THREAD},0,0,0,0`;
const THREAD = `clone,${CLONE_THREAD + CLONE_FILES},0,0,0,0`;
const REFUSED_BY_OMISSION = [
  ...[CLONE_WITH_NEW, THREAD_WITH_OWN_FILES].map((call) => `calls ${call}`),
  'namespace-root clone',
];

/** What apps are made of, and what the default filter leaves to debuggers. */
const ALLOWED = [
  'getpid',
  `clone,${FORK},0,0,0,0`,
  THREAD,
  'close_range,5000,5000,0',
  `close_range,5000,5000,${CLOSE_RANGE_CLOEXEC}`,
  'memfd_create,x,0',
  'eventfd2,0,0',
  'timerfd_create,1,0',
  'inotify_init1,0',
  'epoll_create1,0',
  'membarrier,0,0,0',
  'pidfd_open,1,0',
  'socket,2,1,0',
  'socketpair,1,1,0,room-for-two',
];
/** `strict` refuses them. */
const ALLOWED_BY_DEFAULT: Readonly<Record<number, readonly string[]>> = {
  [EPERM]: ['ptrace,0,0,0,0', 'process_vm_readv,1,0,0,0,0,0', 'personality,4294967295'],
  [ENOSYS]: ['io_setup,0,0'],
};

/** Of the lines of sockets.pl. */
const SOCKETS_ALLOWED = [
  ...['family 1', 'family 2', 'family 10', 'pair 1'],
  // Ping is left out: the filter would let it through, and the kernel lets nobody ping where there is nobody to answer.
  ...['ipv4 0', 'ipv4 6', 'ipv4 17', 'ipv6 0', 'ipv6 6', 'ipv6 17'],
];
const NETLINK_ALLOWED = ['family 16', 'netlink 0'];

/** Those that need nobody's help; with what the first is asked. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  calls: [
    ...errorsOf(REFUSED).keys(),
    ...errorsOf(ALLOWED_BY_DEFAULT).keys(),
    ...ALLOWED,
    CLONE_WITH_NEW,
    THREAD_WITH_OWN_FILES,
  ].join('+'),
  sockets: '',
  'namespace-root': '',
  'thirty-two-bits': '',
};

function errorsOf(group: Readonly<Record<number, readonly string[]>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(group).flatMap(([error, calls]) => calls.map((call) => [call, error] as const)));
}

export async function kernelAnswers(run: RunAttack): Promise<Answers> {
  const answers: [string, string][] = [];
  for (const [program, query] of Object.entries(PROGRAMS)) {
    for (const line of (await run(program, query)).trim().split('\n')) {
      const [, what, answer] = /^(.+) (done|absent|killed|\d+)$/.exec(line) ?? [];
      if (what === undefined || answer === undefined) throw new Error(`${program} wrote ${JSON.stringify(line)}`);
      const name = `${program} ${what}`;
      const omitted = REFUSED_BY_OMISSION.includes(name) && [EPERM, ENOSYS].includes(Number(answer));
      answers.push([name, omitted ? 'refused' : answer]);
    }
  }
  return Object.fromEntries(answers);
}

/**
 * What has to be answered in an instance. `unfiltered`: the answers where nothing filters, which hold for what is
 * allowed and for what this machine lacks.
 */
export function expectedAnswers(unfiltered: Answers, filter: 'default' | 'strict' = 'default'): Answers {
  const strict = filter === 'strict';
  const refusedCalls = new Map([...errorsOf(REFUSED), ...(strict ? errorsOf(ALLOWED_BY_DEFAULT) : [])]);
  const sockets = new Set([...SOCKETS_ALLOWED, ...(strict ? [] : NETLINK_ALLOWED)]);
  const judge = (what: string, answer: string): string => {
    const [, program = '', detail = ''] = /^(\S+) (.*)$/.exec(what) ?? [];
    if (answer === 'absent') return answer;
    if (REFUSED_BY_OMISSION.includes(what)) return 'refused';
    switch (program) {
      case 'sockets':
        if (sockets.has(detail)) return answer;
        return String(
          /^(family|pair) /.test(detail) || (strict && detail.startsWith('netlink ')) ? EAFNOSUPPORT : EPROTONOSUPPORT,
        );
      case 'thirty-two-bits':
        if (answer === 'killed' || strict) return 'killed';
        return String(EAFNOSUPPORT);
      case 'namespace-root':
        return String(detail === 'clone3' ? ENOSYS : EPERM);
      default:
        return refusedCalls.get(detail) ?? answer;
    }
  };
  // What was done in a name space of its own: there is none.
  const possible = Object.entries(unfiltered).filter(([what]) => !what.includes(': '));
  return Object.fromEntries(possible.map(([what, answer]) => [what, judge(what, answer)]));
}

/** For people: what the machine refuses by itself in the same way, so that nothing is shown of the filter. */
export function notShown(unfiltered: Answers, filtered: Answers): string {
  const refused = Object.entries(filtered).filter(([, answer]) => /^(refused|\d+)$/.test(answer));
  const same = refused.filter(([what, answer]) => unfiltered[what] === answer).map(([what]) => what.replace(/,.*/, ''));
  const groups = new Map<string, string[]>();
  for (const [, group = '', each = ''] of same.map((what) => /^(.+) (\S+)$/.exec(what) ?? []))
    groups.set(group, [...(groups.get(group) ?? []), each]);
  return [...groups].map(([group, each]) => `${group} ${each.join(' ')}`).join('; ');
}
