import { expect, it } from 'vitest';
import { template } from '../../test/support/templates.ts';
import { catalogueChanges } from './catalogue-change.ts';
import { Catalogue } from './template.ts';

const [one, two, three] = ['one', 'two', 'three'].map((name) => template({ name }));
if (one === undefined || two === undefined || three === undefined) throw new Error('there are three');

it('tells what is added, removed, changed and as it was, in the order of the new catalogue', () => {
  expect(catalogueChanges([one, two], [three, { ...two, title: 'Two of them' }])).toEqual([
    { kind: 'added', name: 'three' },
    { kind: 'changed', name: 'two', keys: ['title'], replaces: false },
    { kind: 'removed', name: 'one' },
  ]);
  expect(catalogueChanges([one], [template({ name: 'one' })])).toEqual([{ kind: 'unchanged', name: 'one' }]);
});

it.each([
  ['image', { image: 'localhost/other' }, true],
  ['limits', { limits: { memoryBytes: 1, cpus: 1, pids: 32 } }, true],
  ['command', { process: { ...one.process, command: ['serve'] } }, true],
  ['limits', { process: { ...one.process, shmBytes: 1 } }, true],
  ['limits', { unusedCpu: 'allow' as const }, false],
  ['open', { openAllow: ['/shop/*'] }, false],
  ['max_age', { maxAgeMs: 1 }, false],
  ['allowed_origins', { allowedOrigins: ['https://example.org'] }, false],
  ['pool', { pool: { target: 1, max: 2, replenishThreshold: 0 } }, false],
] as const)('names the key %s as the file does, and says whether instances are replaced', (key, change, replaces) => {
  expect(catalogueChanges([one], [{ ...one, ...change }])).toEqual([
    { kind: 'changed', name: 'one', keys: [key], replaces },
  ]);
});

it('is carried out at once, and whoever subscribed is told', () => {
  const catalogue = new Catalogue([one, two], 'first');
  const [revision, told] = [catalogue.revision, [] as string[][]];
  catalogue.subscribe(() => told.push(catalogue.all().map(({ name }) => name)));
  catalogue.replace([two, three], 'second');
  expect(told).toEqual([['two', 'three']]);
  expect(catalogue.default.name).toBe('two');
  expect(catalogue.get('one')).toBeUndefined();
  expect(catalogue.version('one')).toBeUndefined();
  expect(catalogue.known('one')).toBe(one);
  expect(catalogue.allKnown().map(({ name }) => name)).toEqual(['two', 'three', 'one']);
  expect(catalogue.revision).not.toBe(revision);
  catalogue.replace([one, two], 'first');
  expect(catalogue.revision).toBe(revision);
  expect(catalogue.allKnown().map(({ name }) => name)).toEqual(['one', 'two', 'three']);
});
