import { duration, hostPort, integer, password, path, replicas, servers, text } from './parsers.ts';
import { absolutePath } from './paths.ts';
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
    servers(['nats', 'tls'], 'nats://127.0.0.1:4222'),
    'nats://127.0.0.1:4222',
    'NATS with JetStream, which holds the tasks. The servers of a cluster stand with commas between; `tls://` ' +
      'insists on TLS.',
  ),
  NATS_USER: state.optional(text(63), 'none', 'The user to log in to NATS as, with NATS_PASSWORD.'),
  NATS_PASSWORD: state.secret(password, 'not set', 'That user’s password.'),
  NATS_TOKEN: state.secret(
    password,
    'not set',
    'The token to log in to NATS with, instead. NATS’ monitoring port, where it is open, shows tokens to whoever asks.',
  ),
  NATS_NKEY_SEED: state.secret(password, 'not set', 'The seed of the nkey to log in to NATS with, instead (`SU…`).'),
  NATS_CREDS_FILE: state.optional(
    absolutePath('/etc/try-it-now/nats.creds'),
    'none',
    'The credentials file to log in to NATS with, instead, as `nsc` writes it. Read at each connection, so it may be ' +
      'renewed.',
  ),
  NATS_CA_FILE: state.optional(
    absolutePath('/etc/try-it-now/nats-ca.pem'),
    'none: the system’s authorities count',
    'The certificates of the authorities that may have signed NATS’ certificate. Insists on TLS.',
  ),
  NATS_CERT_FILE: state.optional(
    absolutePath('/etc/try-it-now/nats-client.pem'),
    'none',
    'Our certificate, for NATS servers that ask for one (`verify`), with NATS_KEY_FILE. Insists on TLS.',
  ),
  NATS_KEY_FILE: state.optional(
    absolutePath('/etc/try-it-now/nats-client.key'),
    'none',
    'The key of that certificate.',
  ),
  QUEUE_REPLICAS: state.required(
    replicas,
    '1',
    'How many servers of the NATS cluster keep each task: 3 outlive the loss of one, 5 that of two. Changed on the ' +
      'streams that exist when a process starts.',
  ),
  QUEUE_ACK_WAIT: state.required(
    duration('5s', '1h', '30s'),
    '30s',
    'After how long without a sign a worker counts as dead, and its task goes to another.',
  ),
  QUEUE_WORKER_COUNT: state.required(integer(1, 256, 4), '4', 'How many tasks this process works on at once.'),
} as const;
