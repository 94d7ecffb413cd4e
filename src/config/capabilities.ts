import { closestMatch } from 'leven';
import { ParseError, type Parser } from './parsers.ts';

/** What ordinary server images ask for. None of them reaches beyond the container's own files, users and ports. */
const ALLOWED = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
] as const;

/**
 * Everything else breaks the wall between an instance and its host or neighbours; the reasons are for
 * the person who wanted it.
 */
const REFUSED: Readonly<Record<string, string>> = {
  AUDIT_CONTROL: "it changes the host's audit rules",
  AUDIT_READ: "it reads the host's audit log",
  AUDIT_WRITE: "it writes into the host's audit log",
  BLOCK_SUSPEND: 'it keeps the host from sleeping',
  BPF: "it loads programs into the host's kernel",
  CHECKPOINT_RESTORE: "it writes into the host's process tables",
  DAC_READ_SEARCH: "it opens files of the host by their handle, past the container's root",
  IPC_LOCK: 'it locks memory that the host cannot take back',
  IPC_OWNER: "it opens other users' shared memory",
  LEASE: "it holds up other programs' access to files",
  LINUX_IMMUTABLE: 'it makes files that cleanup cannot delete',
  MAC_ADMIN: "it changes the host's mandatory access rules",
  MAC_OVERRIDE: "it goes past the host's mandatory access rules",
  MKNOD: "it makes device files, among them the host's disks",
  NET_ADMIN: 'it rewrites addresses and firewall rules, so that an instance could reach its neighbours',
  NET_BROADCAST: 'it speaks to every neighbour on the network at once',
  NET_RAW: 'it forges packets, so that an instance could pass for a neighbour',
  PERFMON: "it watches the host's kernel and every other process",
  SETFCAP: 'it gives files capabilities that the template did not ask for',
  SYSLOG: "it reads the host's kernel log and addresses",
  SYS_ADMIN: 'it mounts file systems and enters name spaces, which is nearly root on the host',
  SYS_BOOT: 'it restarts the host',
  SYS_MODULE: "it loads modules into the host's kernel",
  SYS_NICE: 'it takes processor time from the neighbours',
  SYS_PACCT: "it switches the host's process accounting",
  SYS_PTRACE: 'it reads and changes the memory of other processes',
  SYS_RAWIO: "it reads and writes the host's devices and memory",
  SYS_RESOURCE: 'it goes past the limits that keep one instance from starving the others',
  SYS_TIME: "it sets the host's clock",
  SYS_TTY_CONFIG: "it takes over the host's terminals",
  WAKE_ALARM: 'it wakes the host from sleep',
};

/** With or without CAP_, in any case; kept as the engines want it: upper case without CAP_. */
export const capability: Parser<string> = {
  type: 'capability',
  expects: `one of ${ALLOWED.join(', ')}`,
  parse: (text) => {
    const name = text.toUpperCase().replace(/^CAP_/, '');
    if (ALLOWED.some((allowed) => allowed === name)) return name;
    const reason = REFUSED[name];
    if (reason !== undefined) return new ParseError(`refused because ${reason}`);
    if (name === 'ALL')
      return new ParseError('refused because among all capabilities are those that open the way to the host');
    const meant = closestMatch(name, [...ALLOWED, ...Object.keys(REFUSED)], { maxDistance: 2 });
    return new ParseError(meant === undefined ? 'there is no such capability' : `did you mean ${meant}?`);
  },
};
