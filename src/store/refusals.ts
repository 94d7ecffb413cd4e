/** What a Valkey says that is there and cannot serve, and what to do about it. */
interface Refusal {
  readonly says: RegExp;
  /** A clause that goes on from "Valkey". */
  readonly what: string;
  readonly remedy: string;
}

/** What our user needs; docs/deployment.md has it as well. */
export const ACL_RULES =
  '~* resetchannels -@all +@read +@write +@connection +@transaction -@dangerous ' +
  '+eval +evalsha +script|load +info +time';

/**
 * https://valkey.io/topics/protocol/#simple-errors: the first word of an error names its kind. What goes wrong before
 * Valkey says anything has a code of OpenSSL's or Node's instead.
 */
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
    remedy:
      'point VALKEY_ADDR or VALKEY_URL at the primary, or make this one it (`valkey-cli replicaof no one`); where ' +
      'Sentinels look after it, nothing has to be done',
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
    what: 'refuses the password, or knows no such user',
    remedy:
      'set VALKEY_PASSWORD to the password in its configuration (`requirepass`), and VALKEY_USER where it has users ' +
      '(`valkey-cli acl list`)',
  },
  {
    says: /^NOPERM/,
    what: 'does not let this user do what is needed',
    remedy: `give its user the rights that are needed (\`valkey-cli acl setuser NAME ${ACL_RULES}\`)`,
  },
  {
    says: /^BUSY/,
    what: 'is busy with a script that does not end',
    remedy: 'end it (`valkey-cli script kill`, or `valkey-cli function kill`)',
  },
  {
    says: /^MASTERDOWN/,
    what: 'is a replica that has lost its primary',
    remedy: 'start the primary, and point VALKEY_ADDR or VALKEY_URL at it',
  },
  {
    says: /^NOREPLICAS/,
    what: 'takes no changes, because it has too few replicas',
    remedy: 'start its replicas, or lower `min-replicas-to-write`',
  },
  {
    says: /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET_ISSUER))/,
    what: 'shows a certificate that is not trusted',
    remedy: 'set VALKEY_CA_FILE to the certificate of the authority that signed it',
  },
  {
    says: /^CERT_(HAS_EXPIRED|NOT_YET_VALID)/,
    what: 'shows a certificate that is not valid at this time',
    remedy: 'renew it, or set the clock of this host',
  },
  {
    says: /^ERR_TLS_CERT_ALTNAME_INVALID/,
    what: 'shows a certificate for another name',
    remedy:
      'name it in VALKEY_URL as the certificate does, or have one made for this name or address (`subjectAltName`); ' +
      'of a primary that Sentinels name, it is what they announce',
  },
  {
    says: /^ERR_SSL_\w*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/,
    what: 'wants a certificate of its clients, and does not accept what it got',
    remedy:
      'set VALKEY_CERT_FILE and VALKEY_KEY_FILE to one that it trusts, or have it ask for none (`tls-auth-clients no`)',
  },
  {
    says: /^(TLS_SILENCE|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)/,
    what: 'does not speak TLS at this port',
    remedy: 'name its TLS port (`tls-port`) in VALKEY_URL, or begin that with valkey:// instead of valkeys://',
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
  if (!(error instanceof Error)) return undefined;
  const { code = '' } = error as NodeJS.ErrnoException;
  return REFUSALS.find(({ says }) => says.test(error.message) || says.test(code));
}
