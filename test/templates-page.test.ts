import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../src/config/load.ts';
import { TryItNowError, describeError } from '../src/domain/errors.ts';
import { explainFailure } from '../src/domain/explain-failure.ts';
import type { FailureFacts } from '../src/domain/failure-facts.ts';
import { HINTS } from '../src/domain/failure-hints.ts';
import { anchors } from './support/page-blocks.ts';
import { template } from './support/templates.ts';

const PAGE = 'docs/templates.md';
const page = readFileSync(PAGE, 'utf8');

/** What a person is told: what happened, and what to do. */
interface Told {
  readonly reason: string;
  readonly remedy: string;
}

interface Row {
  readonly said: string;
  /** What its first column has in code is in the reason, and all that its last one has in the remedy. */
  readonly fits: (told: Told) => boolean;
}

interface Beside {
  readonly name: string;
  readonly image: string;
  readonly user?: string;
  readonly capabilities?: readonly string[];
}

const [, symptoms = ''] = /\n## When it does not come up\n(.*?)\n## /s.exec(page) ?? [];
const [ofStarts = [], ofFiles = []] = symptoms
  .split('\n\n')
  .filter((block) => block.startsWith('| What is said'))
  .map((table) => table.split('\n').slice(2).map(asRow));

function asRow(line: string): Row {
  const [, said = '', , key = ''] = line.split('|');
  const patterns = inCode(said).map(
    (words) => new RegExp(words.replace(/[.*+?^${}()[\]\\]/g, '\\$&').replaceAll('…', '.*')),
  );
  const words = inCode(key).flatMap((code) => code.split(/[\s:,[\]]+/).filter((word) => word !== ''));
  return {
    said: said.trim(),
    fits: ({ reason, remedy }) =>
      patterns.some((pattern) => pattern.test(reason)) && words.every((word) => remedy.includes(word)),
  };
}

function inCode(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
}

/** Each way a start is known to fail. */
const FAILED_STARTS: readonly Partial<FailureFacts>[] = [
  { listening: [{ address: '127.0.0.1', port: 3000 }] },
  { listening: [{ address: '0.0.0.0', port: 8080 }] },
  { listening: [{ address: '127.0.0.1', port: 9 }] },
  { listening: [] },
  { seen: { kind: 'refused' } },
  { seen: { kind: 'broken', words: 'connection reset' } },
  { seen: { kind: 'tls' } },
  { seen: { kind: 'circles', path: '/', toHttps: true } },
  { seen: { kind: 'circles', path: '/', toHttps: false } },
  ...[400, 401, 403, 404, 405, 410, 418, 421, 500, 503].map((status) => ({ seen: answered(status, '/') })),
  { seen: answered(503, '/home', '/') },
  { seen: { kind: 'silent', afterMs: 10_000 } },
  exited({ exitCode: 0 }),
  exited({ exitCode: 3 }),
  exited({ exitCode: 139 }),
  exited({ exitCode: 137 }),
  exited({ exitCode: 137, oomKilled: true }),
  { ...exited({ exitCode: 1 }), output: 'java.lang.OutOfMemoryError: Java heap space' },
  { oomKills: 2 },
  ...['ended with exit code 1 before it was ready', 'was not ready within 60000 ms: nothing listens at port 5432'].map(
    (how): Partial<FailureFacts> => ({
      step: { code: 'container_failed', message: `The service db (demo-a-db) ${how}; it wrote nothing`, service: 'db' },
    }),
  ),
  {
    step: {
      code: 'activation_failed',
      message: 'The activation hook of template app (/app/activate) failed in demo-a: exit code 1',
    },
  },
];

function answered(status: number, path: string, from?: string): FailureFacts['seen'] {
  return { kind: 'answered', status, path, host: 'a.localhost', ...(from === undefined ? {} : { from }) };
}

function exited({ exitCode, oomKilled = false }: { exitCode: number; oomKilled?: boolean }): Partial<FailureFacts> {
  return { step: { code: 'container_exited', message: 'It ended' }, ended: { exitCode, oomKilled } };
}

function toldOfStart(facts: Partial<FailureFacts>): Told {
  return explainFailure({
    template: template({ port: 3000 }),
    step: { code: 'not_ready_in_time', message: 'It was not ready' },
    ended: undefined,
    oomKills: 0,
    listening: undefined,
    seen: undefined,
    output: '',
    ...facts,
  });
}

const TOLD_OF_STARTS = [
  ...FAILED_STARTS.map(toldOfStart),
  ...HINTS.map(([, { what, remedy }]) => ({ reason: `it ended (${what})`, remedy })),
];

/** Keys of a template, each with something wrong in it. */
const WRONG_KEYS: readonly string[] = [
  'prot: 80',
  'pool: { target: 5, max: 3 }',
  'ttl: { default: 2h, max: 1h }',
  'ttl: { max: 4h }, max_age: 3h',
  'ttl: { default: 2h, max: 3h }, max_age: 3h',
  'database: { seed: examples/wordpress/seed.sql }',
  'database: { engine: postgresql, seed: examples/adminer/seed.sql }',
  'env: { A: "${TRY_IT_NOW_HOME}" }',
  'args: ["${TRY_IT_NOW_SEED}"]',
  'read_only: true, files: [{ path: /a, content: b }]',
  'files: [{ path: /tmp/a, content: b }]',
];

const TOLD_OF_FILES = WRONG_KEYS.flatMap((keys) => {
  const problems = problemsIn(`templates: [{ name: app, image: app, port: 80, ${keys} }]`);
  expect(problems, keys).not.toEqual([]);
  return problems.map((problem) => ({ reason: problem, remedy: problem }));
});

function problemsIn(text: string): string[] {
  try {
    loadConfig({ TEMPLATES_FILE: 'app.yaml' }, () => text);
    return [];
  } catch (error) {
    const problems = error instanceof TryItNowError ? error.details?.['problems'] : undefined;
    return Array.isArray(problems) ? problems.map(String) : [describeError(error)];
  }
}

describe(PAGE, () => {
  it.each(TOLD_OF_STARTS)('has a row for a start of which is said: $reason', (told) => {
    expect(ofStarts.filter(({ fits }) => fits(told)).map(({ said }) => said)).not.toEqual([]);
  });

  it.each(TOLD_OF_FILES)('has a row for a file of which is said: $reason', (told) => {
    expect(ofFiles.filter(({ fits }) => fits(told)).map(({ said }) => said)).not.toEqual([]);
  });

  it.each(ofStarts)('promises words and a key that there are for $said', ({ fits }) => {
    expect(TOLD_OF_STARTS.filter(fits)).not.toEqual([]);
  });

  it.each(ofFiles)('promises words that there are for $said', ({ fits }) => {
    expect(TOLD_OF_FILES.filter(fits)).not.toEqual([]);
  });

  it('has no server of a registry that starts as root and may not change to its own user', () => {
    const [, example = ''] = /\n## Every key\n\n```yaml\n(.*?)```/s.exec(page) ?? [];
    const { templates } = parse(example) as { readonly templates: readonly { readonly services?: Beside[] }[] };
    const all = templates.flatMap(({ services = [] }) => services);
    const stock = all.filter(({ image }) => image.startsWith('docker.io/'));
    expect(stock.map(({ name }) => name)).toEqual(['db', 'cache']);
    const mayChange = ({ capabilities = [] }: Beside): boolean =>
      capabilities.includes('SETGID') && capabilities.includes('SETUID');
    expect(stock.filter((service) => service.user === undefined && !mayChange(service))).toEqual([]);
  });

  it('has links that lead somewhere', () => {
    for (const [, path = '', anchor] of page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const target = path === '' ? PAGE : join(dirname(PAGE), path);
      expect([target, existsSync(target)]).toEqual([target, true]);
      if (anchor !== undefined) expect(anchors(readFileSync(target, 'utf8'))).toContain(anchor);
    }
  });
});
