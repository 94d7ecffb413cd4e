import { expect, it } from 'vitest';
import { problems, template as only, withLines } from '../../test/support/catalogue.ts';
import { whyNotRestorable } from '../domain/restorable.ts';
import { templateVersion } from '../domain/template.ts';

it('is the choice of the engine unless the template says', () => {
  expect(only('title: x').runtime).toBeUndefined();
  expect(only('runtime: runc').runtime).toBe('runc');
  expect(only('runtime: runsc').runtime).toBe('runsc');
  expect(problems(withLines('runtime: runsc', 'egress: false'))).toEqual([]);
  const versions = ['title: x', 'runtime: runc', 'runtime: runsc'].map((line) => templateVersion(only(line)));
  expect(new Set(versions).size).toBe(3);
});

it('refuses what no engine has', () => {
  expect(problems(withLines('runtime: kata')).join()).toContain('one of runc, runsc');
});

it('is started cold in a sandbox, and restored otherwise', () => {
  expect(whyNotRestorable(only('runtime: runsc'))).toContain('runsc');
  expect(whyNotRestorable(only('runtime: runc'))).toBeUndefined();
});

it.each([
  ['services', 'services: [{ name: cache, image: localhost/cache:1 }]', 'cannot share a network'],
  ['database', 'database: { engine: mariadb }', "bound an instance's connections"],
  ['egress', 'egress: { mail: true }', 'forges packets'],
  ['checkpoint.file', 'checkpoint: { file: /x.tar }', 'restored from a checkpoint'],
])('refuses runsc together with %s, and says why', (what, line, why) => {
  const told = problems(withLines('runtime: runsc', line)).join('\n');
  expect(told).toContain(`runtime: runsc and ${what} do not go together`);
  expect(told).toContain(why);
  expect(problems(withLines('runtime: runc', line)).join('\n')).not.toContain('do not go together');
});

it('keeps the memory of instances apart unless the template says', () => {
  expect(only('title: x').memory).toBe('private');
  expect(only('memory: share').memory).toBe('share');
  expect(only('memory: swap').memory).toBe('swap');
  expect(problems(withLines('memory: both')).join()).toContain('one of private, share, swap');
  // An instance of either does for the other.
  expect(templateVersion(only('memory: share'))).toBe(templateVersion(only('title: x')));
});

it('refuses shared memory in a sandbox', () => {
  expect(problems(withLines('runtime: runsc', 'memory: share')).join()).toContain('memory: share do not go together');
  expect(problems(withLines('runtime: runsc', 'memory: swap')).join()).toContain('memory: swap do not go together');
  expect(problems(withLines('runtime: runsc', 'memory: private'))).toEqual([]);
});
