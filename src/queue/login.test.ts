import { expect, it } from 'vitest';
import { prepareLogin, type QueueLogin } from './login.ts';

it.each<[Omit<QueueLogin, 'url'> & { readonly url?: string }, string]>([
  [{}, 'none'],
  [{ user: 'worker' }, 'none'],
  [{ user: 'worker', password: 's3cret' }, 'user worker and a password (NATS_USER)'],
  [{ url: 'nats://worker:s3cret@a:1,nats://b:2' }, 'user worker and a password (NATS_URL)'],
  [{ url: 'nats://s3cret@a:1' }, 'a token (NATS_URL)'],
  [{ token: 's3cret' }, 'a token (NATS_TOKEN)'],
  [{ nkeySeed: 's3cret' }, 'an nkey (NATS_NKEY_SEED)'],
])('%j logs in by: %s', (given, kind) => {
  expect(prepareLogin({ url: 'nats://127.0.0.1:4222', ...given }).kind).toBe(kind);
});
