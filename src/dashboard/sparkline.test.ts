import { describe, expect, it } from 'vitest';
import { sparkline } from './sparkline.ts';

describe('a sparkline', () => {
  it.each([[[]], [[3]]])('of %j draws nothing', (values) => {
    expect(sparkline('Ready', values).text).toBe('');
  });

  it('reaches from the left to the right, as high as its most, and says so in words', () => {
    const { text } = sparkline('Ready', [0, 4, 2]);
    expect(text).toContain('d="M0.0 39.0L90.0 1.0L180.0 20.0"');
    expect(text).toContain('aria-label="Ready: between 0 and 4, now 2"');
  });

  it('of zeros lies at the bottom', () => {
    expect(sparkline('Ready', [0, 0]).text).toContain('d="M0.0 39.0L180.0 39.0"');
  });
});
