import { duration, hostPort, integer, password, text, url } from './parsers.ts';
import { group } from './variable.ts';

const state = group('State and queue');

/** Where state and tasks are. */
export const STATE_VARIABLES = {
  VALKEY_ADDR: state.required(hostPort('127.0.0.1:6379'), '127.0.0.1:6379', 'Valkey, which holds all state.'),
  VALKEY_PASSWORD: state.secret(password, 'not set', 'The password of Valkey’s default user.'),
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
