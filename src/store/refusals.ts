/** What a Valkey says that is there and cannot serve, and what to do about it. */
interface Refusal {
  readonly says: RegExp;
  /** A clause that goes on from "Valkey". */
  readonly what: string;
  readonly remedy: string;
}

/** https://valkey.io/topics/protocol/#simple-errors: the first word of an error names its kind. */
const REFUSALS: readonly Refusal[] = [
  {
    says: /^MISCONF/,
    what: 'takes no changes, because it cannot write its files',
    remedy:
      'make room on its disk (`valkey-cli config get dir` says where), and see its log; it goes on by itself once it ' +
      'can write',
  },
  {
    says: /^OOM/,
    what: 'takes no changes, because its memory is used up',
    remedy: 'raise `maxmemory` (`valkey-cli config set maxmemory 512mb`, and in its configuration file)',
  },
  {
    says: /^READONLY/,
    what: 'takes no changes, because it is the replica of another',
    remedy: 'point VALKEY_ADDR at the primary, or make this one it (`valkey-cli replicaof no one`)',
  },
  {
    says: /^LOADING/,
    what: 'is still reading its data in',
    remedy: 'wait: it serves when it has, and `valkey-cli info persistence` says how far it is',
  },
  {
    says: /^(NOAUTH|ERR AUTH|.*no password is set)/,
    what: 'wants another login',
    remedy: 'set VALKEY_PASSWORD to the password in its configuration (`requirepass`), or unset it where there is none',
  },
  {
    says: /^WRONGPASS/,
    what: 'refuses the password',
    remedy: 'set VALKEY_PASSWORD to the password in its configuration (`requirepass`)',
  },
  {
    says: /^NOPERM/,
    what: 'does not let this user do what is needed',
    remedy: 'allow its user every command and key (`valkey-cli acl setuser NAME on allkeys allchannels allcommands`)',
  },
  {
    says: /^BUSY/,
    what: 'is busy with a script that does not end',
    remedy: 'end it (`valkey-cli script kill`, or `valkey-cli function kill`)',
  },
  {
    says: /^MASTERDOWN/,
    what: 'is a replica that has lost its primary',
    remedy: 'start the primary, and point VALKEY_ADDR at it',
  },
  {
    says: /^NOREPLICAS/,
    what: 'takes no changes, because it has too few replicas',
    remedy: 'start its replicas, or lower `min-replicas-to-write`',
  },
  {
    says: /^(CLUSTERDOWN|TRYAGAIN|MOVED|ASK |CROSSSLOT)/,
    what: 'is part of a cluster, which cannot serve this',
    remedy: 'use a Valkey that is no cluster (`cluster-enabled no`): the scripts need all keys in one place',
  },
  {
    says: /^-?ERR max number of clients/,
    what: 'has as many clients as it may have',
    remedy:
      'raise `maxclients` (`valkey-cli config set maxclients 10000`), or see who they are (`valkey-cli client list`)',
  },
];

/** Undefined for what is no such answer. */
export function refusalOf(error: unknown): { readonly what: string; readonly remedy: string } | undefined {
  return error instanceof Error ? REFUSALS.find(({ says }) => says.test(error.message)) : undefined;
}
