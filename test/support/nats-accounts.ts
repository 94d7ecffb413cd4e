import { nkeys } from '@nats-io/transport-node';

export interface OperatorMode {
  /** What a server's configuration needs to know. */
  readonly config: Readonly<Record<string, unknown>>;
  /** A credentials file for a user of the account; `expires` in seconds since 1970. */
  readonly creds: (account: 'tasks' | 'plain', expires?: number) => string;
}

/** An operator with two accounts as `nsc` would make them; JetStream is on for the one called `tasks` alone. */
export function operatorMode(): OperatorMode {
  const operator = nkeys.createOperator();
  const accounts = { tasks: nkeys.createAccount(), plain: nkeys.createAccount(), system: nkeys.createAccount() };
  const limits = { subs: -1, data: -1, payload: -1, conn: -1, leaf: -1, imports: -1, exports: -1, wildcards: true };
  const jetstream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const accountToken = (name: keyof typeof accounts): string =>
    token(operator, accounts[name].getPublicKey(), name, {
      type: 'account',
      limits: { ...limits, ...(name === 'tasks' ? jetstream : {}) },
    });
  return {
    config: {
      operator: token(operator, operator.getPublicKey(), 'operator', { type: 'operator' }),
      system_account: accounts.system.getPublicKey(),
      resolver: 'MEMORY',
      resolver_preload: Object.fromEntries(
        (['tasks', 'plain', 'system'] as const).map((name) => [accounts[name].getPublicKey(), accountToken(name)]),
      ),
    },
    creds: (name, expires) => {
      const user = nkeys.createUser();
      const rights = { type: 'user', subs: -1, data: -1, payload: -1 };
      const jwt = token(accounts[name], user.getPublicKey(), 'worker', rights, expires);
      const seed = new TextDecoder().decode(user.getSeed());
      return (
        `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n` +
        `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`
      );
    },
  };
}

/** https://github.com/nats-io/jwt: claims signed by whoever is one level above. */
function token(issuer: nkeys.KeyPair, subject: string, name: string, nats: object, expires?: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    jti: name,
    iat: 1_700_000_000,
    iss: issuer.getPublicKey(),
    name,
    sub: subject,
    ...(expires === undefined ? {} : { exp: expires }),
    nats: { version: 2, ...nats },
  };
  const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}
