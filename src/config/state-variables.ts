import { duration, hostPort, integer, password, path, text, url } from './parsers.ts';
import { valkeyUrl } from './valkey-url.ts';
import { group } from './variable.ts';

const state = group('State and queue');

/** Where state and tasks are. */
export const STATE_VARIABLES = {
  VALKEY_ADDR: state.required(
    hostPort('127.0.0.1:6379'),
    '127.0.0.1:6379',
    'Valkey, which holds all state; one server, in clear text. For anything else, VALKEY_URL instead.',
  ),
  VALKEY_URL: state.optional(
    valkeyUrl,
    'none',
    'Valkey, instead of VALKEY_ADDR: `valkeys://host:port` is one server by TLS, ' +
      '`valkeys+sentinel://host:port,…/name` the one that Sentinels call the primary of that name, `valkey://` and ' +
      '`valkey+sentinel://` the same in clear text. See ' +
      '[Valkey with replicas](../deployment.md#valkey-with-replicas).',
  ),
  VALKEY_USER: state.optional(text(100), 'the default user', 'The user to log in to Valkey as, with VALKEY_PASSWORD.'),
  VALKEY_PASSWORD: state.secret(password, 'not set', 'The password of that user, or of Valkey’s default user.'),
  VALKEY_CA_FILE: state.optional(
    path,
    'the authorities that Node trusts',
    'The certificates (PEM) of the authorities that sign those of Valkey and its Sentinels, for TLS.',
  ),
  VALKEY_CERT_FILE: state.optional(
    path,
    'none',
    'The certificate (PEM) shown to a Valkey that asks its clients for one (`tls-auth-clients`).',
  ),
  VALKEY_KEY_FILE: state.optional(path, 'none', 'The key (PEM) of VALKEY_CERT_FILE.'),
  VALKEY_SENTINEL_USER: state.optional(
    text(100),
    'the default user',
    'The user to log in to the Sentinels as, with VALKEY_SENTINEL_PASSWORD.',
  ),
  VALKEY_SENTINEL_PASSWORD: state.secret(password, 'not set', 'The password of the Sentinels, where they have one.'),
  NATS_URL: state.required(
    url(['nats', 'tls'], 'nats://127.0.0.1:4222'),
    'nats://127.0.0.1:4222',
    'NATS with JetStream, which holds the tasks.',
  ),
  NATS_USER: state.optional(text(63), 'none', 'The user to log in to NATS as, with NATS_PASSWORD.'),
  NATS_PASSWORD: state.secret(password, 'not set', 'That user’s password.'),
  NATS_TOKEN: state.secret(
    password,
    'not set',
    'The token to log in to NATS with, instead. NATS’ monitoring port, where it is open, shows tokens to whoever asks.',
  ),
  QUEUE_ACK_WAIT: state.required(
    duration('5s', '1h', '30s'),
    '30s',
    'After how long without a sign a worker counts as dead, and its task goes to another.',
  ),
  QUEUE_WORKER_COUNT: state.required(integer(1, 256, 4), '4', 'How many tasks this process works on at once.'),
} as const;
