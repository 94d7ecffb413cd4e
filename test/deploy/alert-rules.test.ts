import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findProgram } from '../../src/launcher/child-server.ts';
import { undocumentedMetrics } from '../support/documented-metrics.ts';

const FOLDER = 'deploy/prometheus';
const DOCUMENTS = 'file:///opt/try-it-now/docs/';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What promtool is asked, the second of what lasts hours. */
const TESTS = ['try-it-now.test.yaml', 'try-it-now-hours.test.yaml'];

const { groups } = parse(readFileSync(`${FOLDER}/rules/try-it-now.yaml`, 'utf8')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups
  .flatMap((group) => group.rules)
  .map((rule): [string, Rule] => [`${rule.alert}, ${rule.labels['severity'] ?? ''}`, rule]);

/** As GitHub makes them of headings. */
function anchorsOf(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('the alerts', () => {
  it.each(rules)('%s: says what it is, what to do and where to read on', (_name, rule) => {
    expect(rule.for).toMatch(/^\d+[mh]$/);
    expect(rule.labels['severity']).toMatch(/^(warning|critical)$/);
    expect(Object.keys(rule.annotations)).toEqual(['summary', 'description', 'runbook_url']);
    const [page = '', anchor = ''] = (rule.annotations['runbook_url'] ?? '').slice(DOCUMENTS.length).split('#');
    expect(rule.annotations['runbook_url']).toBe(`${DOCUMENTS}${page}#${anchor}`);
    expect(anchorsOf(`docs/${page}`)).toContain(anchor);
  });

  it.each(rules)('%s: asks for what there is', (_name, rule) => {
    expect(undocumentedMetrics(rule.expr)).toEqual([]);
  });

  it.each(rules)('%s: is tested', (_name, rule) => {
    expect(TESTS.map((file) => readFileSync(`${FOLDER}/rules/${file}`, 'utf8')).join('')).toContain(`"${rule.alert}"`);
  });
});

const promtool = findProgram('promtool');
if (promtool === undefined)
  process.stdout.write('Skipped: the alerts in promtool, which is not installed (Debian package prometheus).\n');

describe.skipIf(promtool === undefined)('promtool', () => {
  it.each([
    ['takes the rules, and the settings that name them', FOLDER, ['check', 'config', 'prometheus.yml']],
    ['sees each alert fire beyond its threshold and quiet before', `${FOLDER}/rules`, ['test', 'rules', ...TESTS]],
  ])('%s', (_what, cwd, args) => {
    const { status, stdout, stderr } = spawnSync(promtool ?? '', args, { cwd, encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toContain('SUCCESS');
  });
});
