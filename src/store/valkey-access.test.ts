import { expect, it } from 'vitest';
import { accessText } from './valkey-access.ts';

it('is named by its address, or by its Sentinels and what they call it', () => {
  expect(accessText({ host: '::1', port: 6379, password: 'secret' })).toBe('[::1]:6379');
  const endpoints = [
    { host: '10.0.0.1', port: 26_379 },
    { host: 'fd00::2', port: 26_380 },
  ];
  expect(
    accessText({
      host: '10.0.0.1',
      port: 26_379,
      password: 'secret',
      sentinel: { endpoints, master: 'try-it-now', user: 'asker', password: 'other' },
    }),
  ).toBe('the primary of try-it-now (Sentinels 10.0.0.1:26379, [fd00::2]:26380)');
});
