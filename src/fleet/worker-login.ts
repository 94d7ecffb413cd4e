/** The user that workers on further hosts log in to Valkey as. */
export const WORKER_USER = 'try-it-now-worker';

/** Setting → the file among the first host's secrets that holds what workers log in with. */
export const WORKER_SECRETS = {
  VALKEY_PASSWORD: 'worker-valkey-password',
  NATS_NKEY_SEED: 'worker-nats-nkey-seed',
} as const;
