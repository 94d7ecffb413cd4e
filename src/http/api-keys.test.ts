import { describe, expect, it } from 'vitest';
import { keyCheck } from './api-keys.ts';

describe('keyCheck', () => {
  const check = keyCheck(['first-key', 'second-key']);

  it('asks for nothing when no keys are set', () => {
    expect(keyCheck([])).toBeUndefined();
  });

  it.each(['first-key', 'second-key'])('accepts %s', (key) => {
    expect(() => check?.(key)).not.toThrow();
  });

  it.each([undefined, ''])('misses a key in %j', (presented) => {
    expect(() => check?.(presented)).toThrow(expect.objectContaining({ code: 'key_missing' }));
  });

  it.each(['first-ke', 'first-key ', 'FIRST-KEY', 'first-key, second-key', 'x'.repeat(10_000)])(
    'rejects %s',
    (presented) => {
      expect(() => check?.(presented)).toThrow(expect.objectContaining({ code: 'key_wrong' }));
    },
  );

  it('never repeats the presented key', () => {
    expect(() => check?.('s3cret-typo')).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('s3cret') as string }),
    );
  });
});
