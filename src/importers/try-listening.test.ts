import { expect, it } from 'vitest';
import { waysToListen } from './try-listening.ts';

const DRAFT = { name: 'a', image: 'a', port: 80 };
const words = (ways: readonly { readonly words: string }[]): string[] => ways.map((way) => way.words);

it('appends to a command, then sets a variable', () => {
  const ways = waysToListen({ entrypoint: [], command: ['vite'] }, { ...DRAFT, args: ['--open'], env: { A: '1' } });
  expect(words(ways)).toEqual([
    'args: [--open, --host, 0.0.0.0]',
    'args: [--open, --bind, 0.0.0.0]',
    'env: HOST=0.0.0.0',
  ]);
  expect(ways.at(-1)?.draft).toEqual({ ...DRAFT, args: ['--open'], env: { A: '1', HOST: '0.0.0.0' } });
});

it('appends nothing to a line for a shell', () => {
  const ways = waysToListen({ entrypoint: ['/bin/sh', '-c'], command: ['vite'] }, DRAFT);
  expect(words(ways)).toEqual(['env: HOST=0.0.0.0']);
});

it('leaves what a person has said', () => {
  const draft = { ...DRAFT, args: ['-o', '0.0.0.0'], env: { HOST: '::' } };
  expect(waysToListen({ entrypoint: [], command: ['ruby'] }, draft)).toEqual([]);
});
