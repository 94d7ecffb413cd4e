import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { undocumentedMetrics } from '../support/documented-metrics.ts';
import { asked, shippedDashboard, type Panel } from '../support/grafana-dashboard.ts';

const { panels, templating, schemaVersion } = shippedDashboard();
const rules = readFileSync('deploy/prometheus/rules/try-it-now.yaml', 'utf8');
const named = panels.filter(({ type }) => type !== 'row').map((panel): [string, Panel] => [panel.title, panel]);

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

function metricsOf(text: string): string[] {
  return [...text.matchAll(/\b(?:try_it_now|process)_\w+/g)].map(([name]) => name);
}

describe('the dashboard', () => {
  it('has panels with an id and a place of their own, under questions', () => {
    expect(schemaVersion).toBeGreaterThanOrEqual(39);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
    expect(
      panels.flatMap((panel, at) =>
        panels
          .slice(at + 1)
          .filter((other) => overlap(panel, other))
          .map(({ title }) => [panel.title, title]),
      ),
    ).toEqual([]);
    for (const { title } of panels.filter(({ type }) => type === 'row')) expect(title).toMatch(/\?$/);
  });

  it.each(named)(
    '%s: asks the chosen source for what there is, with a unit and legends',
    (_title, { targets = [], fieldConfig }) => {
      expect(targets.length).toBeGreaterThan(0);
      expect(fieldConfig?.defaults.unit).toMatch(/./);
      for (const { expr, legendFormat, datasource } of targets) {
        expect(datasource.uid).toBe('${datasource}');
        expect(legendFormat).toMatch(/./);
        expect(undocumentedMetrics(expr)).toEqual([]);
        expect(asked(expr, '15s')).not.toContain('$');
      }
    },
  );

  it('lets one choose the source, the deployment and the template', () => {
    expect(templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
      ['template', 'query'],
    ]);
  });

  it.each(named.filter(([, { fieldConfig }]) => fieldConfig?.defaults.custom?.thresholdsStyle.mode === 'dashed'))(
    '%s: draws its lines where the alerts are',
    (_title, { targets = [], fieldConfig }) => {
      const asks = metricsOf(targets.map(({ expr }) => expr).join(' '));
      const drawn = (fieldConfig?.defaults.thresholds.steps ?? []).flatMap(({ value }) =>
        value === null ? [] : [value],
      );
      const alerts = rules
        .split('- alert:')
        .filter((rule) => metricsOf(rule.split('for:')[0] ?? '').some((metric) => asks.includes(metric)));
      const limits = alerts.flatMap((rule) =>
        [...(rule.split('for:')[0] ?? '').matchAll(/(?:[<>]|==) ([\d.e]+)/g)].map(([, limit]) => Number(limit)),
      );
      expect(drawn.length).toBeGreaterThan(0);
      expect(limits).toEqual(expect.arrayContaining(drawn));
    },
  );
});
