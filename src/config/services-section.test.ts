import { describe, expect, it } from 'vitest';
import { parsed, problems, withLines } from '../../test/support/catalogue.ts';
import { whyNotRestorable } from '../domain/restorable.ts';
import { templateVersion, type Template } from '../domain/template.ts';

const first = (...lines: string[]): Template => {
  const { templates, problems: found } = parsed(withLines(...lines));
  expect(found).toEqual([]);
  const [template] = templates;
  if (template === undefined) throw new Error('a template was expected');
  return template;
};

describe('services', () => {
  it('are read with the defaults of an app', () => {
    const { services } = first(
      'services:',
      '  - name: db',
      '    image: localhost/db:1',
      '    env: { MODE: 1.10 }',
      '    command: [run]',
      '    user: "70"',
      '    tmpfs: { /data: 16MiB }',
      '    limits: { memory: 128MiB }',
      '    readiness: { tcp: 5432, timeout: 5s }',
      '  - { name: cache, image: localhost/cache:1, readiness: { exec: [ping] } }',
      '  - { name: mail_worker, image: localhost/worker:1 }',
    );
    expect(services).toMatchObject([
      {
        name: 'db',
        image: 'localhost/db:1',
        env: { MODE: '1.10' },
        process: { command: ['run'], user: '70', tmpfs: { '/data': 16 * 2 ** 20 }, init: true },
        limits: { memoryBytes: 128 * 2 ** 20, cpus: 1, pids: 128 },
        capabilities: [],
        readiness: { kind: 'tcp', port: 5432, timeoutMs: 5_000 },
      },
      { name: 'cache', readiness: { kind: 'exec', command: ['ping'], timeoutMs: 60_000 } },
      { name: 'mail_worker', readiness: { kind: 'running' } },
    ]);
  });

  it.each([
    ['services: [{ image: a }]', /services\[0\]\.name is missing/],
    ['services: [{ name: db }]', /services\[0\]\.image is missing/],
    ['services: [{ name: DB_1, image: a }]', /services\[0\]\.name is "DB_1"; it must be a host name/],
    ['services: [{ name: my.db, image: a }]', /it must be a host name of lower-case letters, digits, dashes and under/],
    ['services: [{ name: my_, image: a }]', /services\[0\]\.name is "my_"; it must be a host name/],
    ['services: [{ name: app, image: a }]', /the name app stands for the instance itself/],
    ['services: [{ name: db, image: a }, { name: db, image: b }]', /the name db is taken by an earlier service/],
    ['services: [{ name: db, image: a, port: 1 }]', /services\[0\]\.port is not known/],
    ['services: [{ name: db, image: a, readiness: { tcp: 1, exec: [x] } }]', /has both tcp and exec/],
    ['services: [{ name: db, image: a, env: { A: "${TRY_IT_NOW_DATABASE_NAME}" } }]', /has no database/],
  ])('%s is refused', (line, message) => {
    expect(problems(withLines(line))).toEqual([expect.stringMatching(message)]);
  });

  it('make another version of the template, and keep it from being restored', () => {
    const [none, one, other] = [
      first('egress: false'),
      first('services: [{ name: db, image: a }]'),
      first('services: [{ name: db, image: b }]'),
    ];
    expect(new Set([none, one, other].map(templateVersion)).size).toBe(3);
    expect(whyNotRestorable(none)).toBeUndefined();
    expect(whyNotRestorable(one)).toBe('it has services (db), and containers that share a network are not dumped');
  });
});
