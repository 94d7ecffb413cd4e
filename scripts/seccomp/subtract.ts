/**
 * Makes our seccomp profiles from the one that Podman ships, by subtraction: what is not named here is as there. Each
 * group says why it goes.
 */

interface Comparison {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly Comparison[] | null;
  readonly includes?: { readonly arches?: readonly string[]; readonly caps?: readonly string[] };
  readonly excludes?: { readonly arches?: readonly string[]; readonly caps?: readonly string[] };
  readonly errnoRet?: number;
  readonly comment?: string;
}

export interface Profile {
  readonly comment?: string;
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly archMap: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[];
  readonly syscalls: readonly Rule[];
}

const ALLOW = 'SCMP_ACT_ALLOW';
const REFUSE = 'SCMP_ACT_ERRNO';
/** <asm-generic/errno.h> */
const [EPERM, EINVAL, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT] = [1, 22, 38, 93, 97] as const;

interface Refusal {
  readonly why: string;
  readonly names: readonly string[];
  readonly errno: number;
}

/** What no instance gets, whatever its template says. */
const REFUSED: readonly Refusal[] = [
  {
    why: 'Name spaces of its own, in which it would be root towards nf_tables, overlayfs, packet sockets.',
    names: ['unshare', 'setns'],
    errno: EPERM,
  },
  {
    why: 'Its flags are behind a pointer, where no filter sees them. Programs fall back to clone.',
    names: ['clone3'],
    errno: ENOSYS,
  },
  {
    why: "The kernel's key rings know users by number alone, so those of the host and of all instances are shared.",
    names: ['keyctl', 'add_key', 'request_key'],
    errno: EPERM,
  },
  {
    why: 'Mounts, which need a capability that no instance has.',
    names: [
      'mount',
      'umount',
      'umount2',
      'pivot_root',
      'open_tree',
      'move_mount',
      'mount_setattr',
      'fsopen',
      'fsconfig',
      'fsmount',
      'fspick',
    ],
    errno: EPERM,
  },
  {
    why: 'Does what other calls do where no filter sees it. Programs fall back to those.',
    names: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'],
    errno: ENOSYS,
  },
  {
    why: 'Parts of the kernel that web apps have no use for, and attackers had.',
    names: [
      'modify_ldt',
      'bpf',
      'perf_event_open',
      'userfaultfd',
      'memfd_secret',
      'fanotify_init',
      'fanotify_mark',
      'lookup_dcookie',
      'quotactl',
      'quotactl_fd',
      'vmsplice',
      'kcmp',
      'process_madvise',
      'acct',
    ],
    errno: EPERM,
  },
  {
    why: "The host's own affairs: its log, clock, modules, power, and where its memory lies.",
    names: [
      'syslog',
      'reboot',
      'clock_settime',
      'clock_settime64',
      'settimeofday',
      'stime',
      'init_module',
      'finit_module',
      'delete_module',
      'query_module',
      'ioperm',
      'iopl',
      'setdomainname',
      'sethostname',
      'vhangup',
      'mbind',
      'set_mempolicy',
      'set_mempolicy_home_node',
      'open_by_handle_at',
    ],
    errno: EPERM,
  },
];

/**
 * Comes before all else: libseccomp makes of each rule for socket one for socketcall, which knows no arguments, and two
 * that differ are an error, unless this has decided already. Not EPERM, which some engines have for all that is not
 * named, and then leave out.
 */
const SOCKETCALL: Rule = {
  names: ['socketcall'],
  action: REFUSE,
  errnoRet: EAFNOSUPPORT,
  comment: 'On 32 bits the way around the filter of socket: what it is given is behind a pointer.',
};

/** What `strict` refuses beside. */
const REFUSED_BY_STRICT: readonly Refusal[] = [
  {
    why: 'Reading and steering other processes of the instance: debuggers.',
    names: ['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd'],
    errno: EPERM,
  },
  {
    why: "The kernel's old asynchronous files, and System V and POSIX message queues.",
    names: [
      'io_setup',
      'io_submit',
      'io_getevents',
      'io_pgetevents',
      'io_pgetevents_time64',
      'io_cancel',
      'io_destroy',
      'msgget',
      'msgsnd',
      'msgrcv',
      'msgctl',
      'mq_open',
      'mq_unlink',
      'mq_timedsend',
      'mq_timedsend_time64',
      'mq_timedreceive',
      'mq_timedreceive_time64',
      'mq_notify',
      'mq_getsetattr',
    ],
    errno: ENOSYS,
  },
  {
    why: 'Rarely used, and each a part of the kernel less.',
    names: ['personality', 'name_to_handle_at', 'remap_file_pages', 'get_mempolicy'],
    errno: EPERM,
  },
];

/** <linux/sched.h>: every CLONE_NEW… that clone knows; its lowest byte is a signal. */
const CLONE_NEW = 0x7e020000;
const [CLONE_FILES, CLONE_THREAD] = [0x400, 0x10000];
/** <linux/close_range.h> */
const CLOSE_RANGE_UNSHARE = 2;
/** <sys/socket.h>, <netinet/in.h>, <linux/netlink.h> */
const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] = [1, 2, 10, 16] as const;
const NETLINK_ROUTE = 0;
const [ANY, ICMP, TCP, UDP, DCCP, ICMPV6] = [0, 1, 6, 17, 33, 58] as const;

const is = (index: number, value: number): Comparison => ({ index, value, op: 'SCMP_CMP_EQ' });
const isNot = (index: number, value: number): Comparison => ({ index, value, op: 'SCMP_CMP_NE' });
const above = (index: number, value: number): Comparison => ({ index, value, op: 'SCMP_CMP_GT' });
/** Of the bits of `mask`, those of `flags` and no others. */
const among = (index: number, mask: number, flags: number): Comparison => ({
  index,
  value: mask,
  valueTwo: flags,
  op: 'SCMP_CMP_MASKED_EQ',
});

/** Engines join several conditions by "and" only where each is of another argument. */
function socketRules(netlink: boolean): Rule[] {
  const allow = (...args: Comparison[]): Rule => ({ names: ['socket'], action: ALLOW, args });
  const refuse = (errnoRet: number, ...args: Comparison[]): Rule => ({
    names: ['socket'],
    action: REFUSE,
    errnoRet,
    args,
  });
  const known: readonly number[] = [AF_UNIX, AF_INET, AF_INET6, ...(netlink ? [AF_NETLINK] : [])];
  const others = Array.from({ length: AF_NETLINK + 1 }, (_, family) => family).filter((each) => !known.includes(each));
  return [
    allow(is(0, AF_UNIX)),
    ...[ANY, ICMP, TCP, UDP].map((protocol) => allow(is(0, AF_INET), is(2, protocol))),
    ...[ANY, TCP, UDP, ICMPV6].map((protocol) => allow(is(0, AF_INET6), is(2, protocol))),
    ...(netlink
      ? [
          allow(is(0, AF_NETLINK), is(2, NETLINK_ROUTE)),
          refuse(EPROTONOSUPPORT, is(0, AF_NETLINK), isNot(2, NETLINK_ROUTE)),
        ]
      : []),
    // What is none of these is refused by the default action as well; so programs know it as what the kernel lacks.
    refuse(EPROTONOSUPPORT, is(0, AF_INET), above(2, UDP)),
    refuse(EPROTONOSUPPORT, is(0, AF_INET6), is(2, DCCP)),
    refuse(EPROTONOSUPPORT, is(0, AF_INET6), above(2, ICMPV6)),
    ...others.map((family) => refuse(EAFNOSUPPORT, is(0, family))),
    refuse(EAFNOSUPPORT, above(0, AF_NETLINK)),
  ];
}

/**
 * Processes, and threads with the open files of their process: what a thread holds alone is in no list of a process's
 * open files, where deleted ones are looked for.
 */
function cloneRules(): Rule[] {
  const s390 = { arches: ['s390', 's390x'] };
  return [
    among(0, CLONE_NEW + CLONE_THREAD, 0),
    among(0, CLONE_NEW + CLONE_THREAD + CLONE_FILES, CLONE_THREAD + CLONE_FILES),
  ].flatMap((flags): Rule[] => [
    { names: ['clone'], action: ALLOW, args: [flags], excludes: s390 },
    { names: ['clone'], action: ALLOW, args: [{ ...flags, index: 1 }], includes: s390 },
  ]);
}

/** The other way to a thread with open files of its own. Programs that ask for it go on as on a kernel without. */
const CLOSE_RANGE_RULES: readonly Rule[] = [
  { names: ['close_range'], action: ALLOW, args: [among(2, CLOSE_RANGE_UNSHARE, 0)] },
  {
    names: ['close_range'],
    action: REFUSE,
    errnoRet: EINVAL,
    args: [among(2, CLOSE_RANGE_UNSHARE, CLOSE_RANGE_UNSHARE)],
  },
];

/** `source`: the engine's own profile. */
export function subtracted(source: Profile, kind: 'default' | 'strict', comment: string): Profile {
  const refused = kind === 'default' ? REFUSED : [...REFUSED, ...REFUSED_BY_STRICT];
  const gone = new Set([
    ...refused.flatMap(({ names }) => names),
    'clone',
    'close_range',
    'socket',
    'socketpair',
    'socketcall',
  ]);
  const kept = source.syscalls.flatMap((rule) => {
    const names = rule.names.filter((name) => !gone.has(name));
    return names.length === 0 ? [] : [{ ...rule, names }];
  });
  return {
    comment,
    defaultAction: source.defaultAction,
    defaultErrnoRet: source.defaultErrnoRet,
    archMap: source.archMap.map(({ architecture, subArchitectures }) => ({
      architecture,
      subArchitectures: kind === 'strict' ? [] : subArchitectures.filter((each) => each !== 'SCMP_ARCH_X32'),
    })),
    syscalls: [
      SOCKETCALL,
      ...kept,
      ...cloneRules(),
      ...CLOSE_RANGE_RULES,
      ...socketRules(kind === 'default'),
      { names: ['socketpair'], action: ALLOW, args: [is(0, AF_UNIX)] },
      { names: ['socketpair'], action: REFUSE, errnoRet: EAFNOSUPPORT, args: [isNot(0, AF_UNIX)] },
      ...refused.map(({ why, names, errno }) => ({ names, action: REFUSE, errnoRet: errno, comment: why })),
    ],
  };
}
