import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { DEFAULT_PROCESS } from '../domain/process-settings.ts';
import { DEFAULT_READINESS } from '../domain/readiness.ts';
import { DEFAULT_DUMP, type Template } from '../domain/template.ts';
import { ownFilter } from '../runtime/isolation/seccomp.ts';
import {
  MINUTE,
  everything,
  parsed,
  problems,
  template,
  withLines,
  defaults,
  setting,
} from '../../test/support/catalogue.ts';
import { parseTemplates } from './templates.ts';
const UNPROMOTED = { enabled: true, file: undefined, warmup: [], check: undefined, random: undefined };

describe('a template', () => {
  it('needs a name, an image and a port; the rest has defaults', () => {
    expect(template()).toEqual({
      name: 'hello',
      title: 'hello',
      description: '',
      image: 'app',
      port: 80,
      pull: 'missing',
      ...{ imageCheck: undefined, smoke: [] },
      env: {},
      process: DEFAULT_PROCESS,
      open: '/',
      openAllow: [],
      frame: 'auto',
      callToAction: undefined,
      lead: undefined,
      readiness: DEFAULT_READINESS,
      health: undefined,
      replaceSlow: true,
      warmup: ['/'],
      limits: { memoryBytes: 256 * 2 ** 20, cpus: 1, pids: 128 },
      disk: { bytes: 2 * 2 ** 30, files: 200_000 },
      unusedCpu: 'end',
      databaseBytes: 2 ** 30,
      capabilities: [],
      seccomp: ownFilter('default'),
      runtime: undefined,
      egress: undefined,
      activation: undefined,
      identity: undefined,
      export: undefined,
      checkpoint: { ...UNPROMOTED, dump: DEFAULT_DUMP },
      memory: 'private',
      database: undefined,
      services: [],
      pool: { target: 3, max: 20, replenishThreshold: 0 },
      ttl: { defaultMs: 30 * MINUTE, maxMs: 120 * MINUTE },
      ...{ allowedOrigins: [], nodes: [] },
      idle: undefined,
      renewOnUse: false,
      maxAgeMs: 1_440 * MINUTE,
    } satisfies Template);
  });

  it('keeps environment values as they are written', () => {
    expect(template('env: { A: 1.10, B: true, C: 007, D: "", E: a b, F: 0x1F, G: 1_000 }').env).toEqual({
      A: '1.10',
      B: 'true',
      C: '007',
      D: '',
      E: 'a b',
      F: '0x1F',
      G: '1_000',
    });
  });

  it('has its description in one line, however it is folded', () => {
    expect(template('description: |', '  One', '  two.', '').description).toBe('One two.');
  });

  it('may name capabilities as any manual does', () => {
    expect(template('capabilities: [CAP_CHOWN, setuid, CHOWN]').capabilities).toEqual(['CHOWN', 'SETUID']);
  });

  it('may be told who it is by a command in it or by a request to it', () => {
    expect(template('activation: { exec: [/app/activate, "", --now] }').activation).toEqual({
      kind: 'exec',
      command: ['/app/activate', '', '--now'],
      timeoutMs: 10_000,
    });
    expect(template('activation: { http: /activate, timeout: 100ms }').activation).toEqual({
      kind: 'http',
      path: '/activate',
      timeoutMs: 100,
    });
  });

  it('may be asked who it is in the same ways', () => {
    expect(template('identity: { exec: [cat, /run/salt] }').identity).toEqual({
      kind: 'exec',
      command: ['cat', '/run/salt'],
    });
    expect(template('identity: { http: /identity?brief }').identity).toEqual({ kind: 'http', path: '/identity?brief' });
    expect(template('identity: none').identity).toBe('none');
  });

  it('may say how its checkpoints are made', () => {
    expect(template('checkpoint: { enabled: no, warmup: [/, /shop], file_locks: yes }').checkpoint).toEqual({
      enabled: false,
      file: undefined,
      warmup: ['/', '/shop'],
      check: undefined,
      dump: { ...DEFAULT_DUMP, fileLocks: true },
    });
    expect(
      template('checkpoint: { check: { http: /write }, ghost_limit: 8MiB, tcp_close: yes, link_remap: yes }')
        .checkpoint,
    ).toMatchObject({
      check: { kind: 'http', path: '/write' },
      dump: { fileLocks: false, ghostLimitBytes: 8 * 2 ** 20, tcpClose: true, linkRemap: true },
    });
  });

  it('may repeat parts by YAML aliases', () => {
    const { templates, problems: found } = parsed(
      'templates:\n  - { name: a, image: one, port: 1, limits: &small { memory: 64m, cpus: 0.5 } }\n  - { ' +
        'name: b, image: two, port: 2, limits: *small }\n',
    );
    expect(found).toEqual([]);
    expect(templates[1]?.limits).toEqual({ memoryBytes: 64 * 2 ** 20, cpus: 0.5, pids: 128 });
  });
});

describe('a problem', () => {
  it.each([
    ['prot: 80', 5, /templates\[0\]\.prot is not known; did you mean port\?/],
    ['frobnicate: 1', 5, /templates\[0\]\.frobnicate is not known; use one of name, title/],
    ['pool: { targt: 3 }', 5, /templates\[0\]\.pool\.targt is not known; did you mean target\?/],
    ['title: ""', 5, /templates\[0\]\.title is ""; it must be a text of 1 to 80 characters/],
    ['title: [a]', 5, /templates\[0\]\.title is a list; it must be/],
    ['egress: { mails: true }', 5, /templates\[0\]\.egress\.mails is not known; did you mean mail\?/],
    ['egress: perhaps', 5, /templates\[0\]\.egress is "perhaps"; it must be true or false/],
    ['env: { A: }', 5, /templates\[0\]\.env\.A is empty/],
    ['env: { A: { B: c } }', 5, /templates\[0\]\.env\.A is a group of settings/],
    ['env: { "a b": c }', 5, /"a b" is not a name that a variable can have here; begin with a letter or _/],
    ['env: { 1st: c }', 5, /"1st" is not a name that a variable can have here/],
    ['env: [A=b]', 5, /templates\[0\]\.env is a list; it must be a group of settings/],
    ['limits:', 5, /templates\[0\]\.limits is empty; it must be a group of settings/],
    ['limits: { memory: 256 }', 5, /templates\[0\]\.limits\.memory is "256" \(the unit is missing\)/],
    ['limits: { memory: 256MB }', 5, /templates\[0\]\.limits\.memory is "256MB"; it must be a size/],
    ['limits: { memory: 1MiB }', 5, /it must be a size from 6MiB/],
    ['limits: { disk: 1KiB }', 5, /templates\[0\]\.limits\.disk is "1KiB"; it must be a size from 1MiB/],
    ['limits: { database: 1KiB }', 5, /templates\[0\]\.limits\.database is "1KiB"; it must be a size from 1MiB/],
    ['limits: { files: 10 }', 5, /templates\[0\]\.limits\.files is "10"/],
    ['limits: { cpus: 0 }', 5, /templates\[0\]\.limits\.cpus is "0"/],
    [
      'readiness: { path: healthz }',
      5,
      /templates\[0\]\.readiness\.path is "healthz"; it must be a path that starts with \//,
    ],
    ['warmup: /', 5, /templates\[0\]\.warmup must be a list/],
    ['warmup: [/, "a b"]', 5, /templates\[0\]\.warmup\[1\] is "a b"/],
    [
      'capabilities: [SYS_ADMIN]',
      5,
      /templates\[0\]\.capabilities\[0\] is "SYS_ADMIN" \(refused because it mounts file systems/,
    ],
    ['capabilities: [CAP_NET_RAW]', 5, /refused because it forges packets/],
    ['capabilities: [ALL]', 5, /refused/],
    ['capabilities: [CHWON]', 5, /did you mean CHOWN\?/],
    ['activation:', 5, /templates\[0\]\.activation is empty; it must be a group of settings/],
    ['activation: /app/activate', 5, /templates\[0\]\.activation is a single value; it must be a group of settings/],
    ['activation: {}', 5, /templates\[0\]\.activation has neither exec nor http; it must have one of them/],
    ['activation: { timeout: 5s }', 5, /templates\[0\]\.activation has neither exec nor http/],
    ['activation: { exec: [a], http: /a }', 5, /templates\[0\]\.activation has both exec and http/],
    ['activation: { exce: [a] }', 5, /templates\[0\]\.activation\.exce is not known; did you mean exec\?/],
    ['activation: { exec: /app/activate --now }', 5, /templates\[0\]\.activation\.exec must be a list/],
    [
      'activation: { exec: [] }',
      5,
      /templates\[0\]\.activation\.exec is an empty list; each entry must be a word of a command/,
    ],
    ['activation: { exec: ["", a] }', 5, /templates\[0\]\.activation\.exec begins with an empty word/],
    [
      'activation: { exec: [a, [b]] }',
      5,
      /templates\[0\]\.activation\.exec\[1\] is a list; it must be a word of a command/,
    ],
    [
      'activation: { http: activate }',
      5,
      /templates\[0\]\.activation\.http is "activate"; it must be a path that starts with \//,
    ],
    [
      'activation: { http: /a, timeout: 99ms }',
      5,
      /templates\[0\]\.activation\.timeout is "99ms"; it must be a duration from 100ms to 10m/,
    ],
    [
      'identity: { exec: [a], timeout: 5s }',
      5,
      /templates\[0\]\.identity\.timeout is not known; use one of exec, http/,
    ],
    ['identity: { }', 5, /templates\[0\]\.identity has neither exec nor http/],
    ['checkpoint: { enable: true }', 5, /templates\[0\]\.checkpoint\.enable is not known; did you mean enabled\?/],
    ['identity: no', 5, /templates\[0\]\.identity is "no"; it must be none, or how an instance is asked who it is/],
    ['checkpoint: { check: /write }', 5, /templates\[0\]\.checkpoint\.check is a single value; it must be a group/],
    ['checkpoint: { ghost_limit: 5 }', 5, /templates\[0\]\.checkpoint\.ghost_limit is "5" \(the unit is missing\)/],
    ['checkpoint: { warmup: [shop] }', 5, /templates\[0\]\.checkpoint\.warmup\[0\] is "shop"/],
    [
      'checkpoint: { file_locks: some }',
      5,
      /templates\[0\]\.checkpoint\.file_locks is "some"; it must be true or false/,
    ],
    [
      'checkpoint: { file: /nonexistent/board.tar }',
      5,
      /templates\[0\]\.checkpoint\.file is "\/nonexistent\/board\.tar" \(there is no file .*\); it must be the archive/,
    ],
    ['database: {}', 5, /templates\[0\]\.database\.seed is missing; it must be the path of an SQL file/],
    ['database: { seed: "" }', 5, /templates\[0\]\.database\.seed is ""; it must be/],
    [
      'database: { seed: /nonexistent.sql }',
      5,
      /templates\[0\]\.database\.seed is "\/nonexistent\.sql" \(there is no file \/nonexistent\.sql\)/,
    ],
    ['database: { seed: /proc }', 5, /\(\/proc is a folder\)/],
    ['database: { seed: /dev/null }', 5, /\(\/dev\/null is not an ordinary file\)/],
    ['pool: { target: 30 }', 2, /templates\[0\]\.pool\.target \(apps\.yaml:5\) is 30 but POOL_MAX_SIZE is 20/],
    ['ttl: { default: 3h }', 2, /templates\[0\]\.ttl\.default \(apps\.yaml:5\) is 3h but POOL_MAX_TTL is 2h/],
    ['max_age: 90m', 2, /POOL_MAX_TTL is 2h but templates\[0\]\.max_age \(apps\.yaml:5\) is 90m/],
    ['name: again', 5, /apps\.yaml:5: this is not YAML as it should be: Map keys must be unique/],
  ])('in %s is told with line and reason', (text, line, message) => {
    const found = problems(withLines(text));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^apps\\.yaml:${line}: `));
    expect(found[0]).toMatch(message);
  });

  it('is told once where a wrong value would upset a rule too', () => {
    expect(problems(withLines('pool: { max: none }', 'ttl: { max: soon }'))).toEqual([
      expect.stringMatching(/^apps\.yaml:5: templates\[0\]\.pool\.max is "none"/),
      expect.stringMatching(/^apps\.yaml:6: templates\[0\]\.ttl\.max is "soon"/),
    ]);
  });

  it('of what the variables got wrong is left to them', () => {
    expect(
      parseTemplates(
        withLines(),
        'apps.yaml',
        { ...defaults, target: setting('POOL_TARGET_SIZE', 30, '30') },
        everything,
      ).problems,
    ).toEqual([]);
  });

  it('does not hide the others, and they come in the order of the file', () => {
    const found = problems('templates:\n  - name: Big Name\n    port: 0\n    colour: red\n  - just text\n');
    expect(found.map((text) => text.replace(/; .*/, ''))).toEqual([
      'apps.yaml:2: templates[0].name is "Big Name"',
      'apps.yaml:2: templates[0].image is missing',
      'apps.yaml:3: templates[0].port is "0"',
      'apps.yaml:4: templates[0].colour is not known',
      'apps.yaml:5: templates[1] is a single value',
    ]);
  });

  it('is a name that is taken', () => {
    expect(problems('templates:\n  - { name: a, image: b, port: 1 }\n  - { name: a, image: b, port: 1 }\n')).toEqual([
      'apps.yaml:3: the name a is taken by an earlier template; choose another',
    ]);
  });

  it.each([
    '',
    'templates:',
    'templates: []',
    '# nothing',
    'other: 1\ntemplates: [',
    '- a',
    'just text',
    'templates: {}',
    '\t- x',
    'templates: [{ name: *nobody, image: x, port: 1 }]',
    '---\na: 1\n---\nb: 2',
  ])('is a file like %j', (text) => {
    const found = problems(text);
    expect(found.length).toBeGreaterThan(0);
    for (const line of found) expect(line).toMatch(/^apps\.yaml:\d+: /);
  });
});

describe('whatever the file holds', () => {
  const keys = [
    'activation',
    'identity',
    'checkpoint',
    'database',
    'exec',
    'http',
    'timeout',
    'file',
    'seed',
    'name',
    'title',
    'image',
    'port',
    'env',
    'entrypoint',
    'args',
    'user',
    'files',
    'content',
    'tmpfs',
    'sysctls',
    '<<',
    'x-own',
    'readiness',
    'health',
    'tcp',
    'status',
    'host',
    'warmup',
    'limits',
    'capabilities',
    'egress',
    'pool',
    'ttl',
    'max_age',
    'path',
    'max',
    'default',
  ];
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, 1, -1.5, '', 'app', '/', '30m', '64m'),
      fc.string(),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('tree'), { maxKeys: 6 }),
    ),
  }));

  it('either gives templates or is refused with file and line', () => {
    const texts = fc.oneof(
      fc.string(),
      tree.map((value) => stringify({ templates: [value] })),
      tree.map((value) => stringify({ templates: [{ name: 'a', image: 'b', port: 1, ...(value as object) }] })),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const { templates, problems: found } = parsed(text);
        for (const line of found) expect(line).toMatch(/^apps\.yaml:\d+: /);
        expect(templates.length > 0 || found.length > 0).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('docs/templates.md', () => {
  const page = readFileSync('docs/templates.md', 'utf8');
  const example = /\n## Every key\n\n```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
  const documented = [...page.matchAll(/^\| `([a-z_.]+)` \|/gm)].map(([, key = '']) => key);

  const shown = (parse(example) as { templates: Record<string, unknown>[] }).templates.flatMap((each) => {
    const nested = [
      'open',
      'call_to_action',
      'lead',
      'readiness',
      'health',
      'limits',
      'egress',
      'activation',
      'identity',
      'export',
      'checkpoint',
      'database',
      'pool',
      'ttl',
      'idle',
      'previews',
    ];
    return Object.entries(each).flatMap(([key, value]) =>
      nested.includes(key) && typeof value === 'object'
        ? Object.keys(value as object).map((inner) => `${key}.${inner}`)
        : [key],
    );
  });

  it('has an example that is right', () => {
    const folder = mkdtempSync(join(tmpdir(), 'try-it-now-catalogue-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const [, named = ''] of example.matchAll(/(?:file|seed|source): ([\w./-]+)/g)) {
      mkdirSync(dirname(join(folder, named)), { recursive: true });
      writeFileSync(join(folder, named), '');
    }
    const { templates, problems: found } = parsed(example, join(folder, 'apps.yaml'));
    expect(found).toEqual([]);
    expect(templates.map(({ name }) => name)).toEqual(['hello', 'stock', 'shop', 'forum', 'store', 'relay', 'clock']);
  });

  it('describes exactly the keys that the example shows', () => {
    expect([...documented].sort()).toEqual([...new Set(shown)].sort());
  });

  it('describes every key that may stand there', () => {
    const [problem = ''] = problems(withLines('frobnicate: 1'));
    const known = /use one of (.*)$/.exec(problem)?.[1]?.split(', ') ?? [];
    expect(known.length).toBeGreaterThan(10);
    expect([...new Set(documented.map((key) => key.split('.')[0]))]).toEqual(known);
  });
});
