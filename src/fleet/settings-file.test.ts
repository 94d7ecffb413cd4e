import { expect, it } from 'vitest';
import { parseSettings, withSettings } from './settings-file.ts';

const FILE = '# mine\nA_URL=http://old\n\n#B=commented\nC="with quotes"\nA_URL=http://newer\nD=\n';

it('reads what systemd and a shell read', () => {
  expect([...parseSettings(FILE)]).toEqual([
    ['A_URL', 'http://newer'],
    ['C', 'with quotes'],
    ['D', ''],
  ]);
});

it('changes each setting where it stands, adds the others, and leaves the rest', () => {
  const changes = new Map([
    ['A_URL', 'tls://10.0.0.1'],
    ['B', 'x'],
    ['C', undefined],
    ['E', undefined],
  ]);
  expect(withSettings(FILE, changes)).toBe('# mine\nA_URL=tls://10.0.0.1\n\n#B=commented\nD=\nB=x\n');
  expect(withSettings('', changes)).toBe('A_URL=tls://10.0.0.1\nB=x\n');
});

it('is the same after the same changes again', () => {
  const changes = new Map([
    ['A_URL', 'tls://10.0.0.1'],
    ['B', 'x'],
  ]);
  const once = withSettings(FILE, changes);
  expect(withSettings(once, changes)).toBe(once);
});

it('refuses what the two would read differently', () => {
  for (const value of ['a"b', "it's", 'a\\b', '$HOME', '`id`', 'two\nLINES=1', ' blank'])
    expect(() => withSettings('', new Map([['A', value]])), value).toThrow(/^A has a character/);
});
