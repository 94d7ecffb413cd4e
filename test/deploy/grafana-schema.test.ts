import { readFileSync } from 'node:fs';
import { Ajv, type SchemaObject } from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';
import { beforeAll, describe, expect, it } from 'vitest';
import type { GrafanaDashboard } from '../support/grafana-types.ts';

const TYPE = 'GrafanaDashboard';
const SHIPPED = 'deploy/grafana/try-it-now.json';

let problemsOf: (dashboard: unknown) => string[];
beforeAll(() => {
  const schema = createGenerator({
    path: 'test/support/grafana-types.ts',
    tsconfig: 'tsconfig.json',
    type: TYPE,
    skipTypeCheck: true,
    discriminatorType: 'open-api',
  }).createSchema(TYPE) as SchemaObject;
  const matches = new Ajv({ strict: false, allErrors: true, discriminator: true }).compile(schema);
  problemsOf = (dashboard) => {
    matches(dashboard);
    return (matches.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message ?? ''} ${JSON.stringify(params)}`,
    );
  };
});

const shipped = (): GrafanaDashboard => JSON.parse(readFileSync(SHIPPED, 'utf8')) as GrafanaDashboard;
type Spoil = (panel: GrafanaDashboard['panels'][number]) => void;

describe('by the types that Grafana publishes', () => {
  it('the dashboard is sound', () => {
    expect(problemsOf(shipped())).toEqual([]);
  });

  it.each<[string, Spoil]>([
    ['a kind of panel that there is no more', (panel) => Object.assign(panel, { type: 'graph' })],
    ['an option that there is not', (panel) => panel.type !== 'row' && Object.assign(panel.options, { legends: {} })],
    [
      'a way to draw that there is not',
      (panel) =>
        panel.type === 'timeseries' && Object.assign(panel.fieldConfig.defaults, { custom: { drawStyle: 'wave' } }),
    ],
    [
      'a unit that is no text',
      (panel) => panel.type === 'stat' && Object.assign(panel.fieldConfig.defaults, { unit: 5 }),
    ],
    ['no place', (panel) => panel.type !== 'row' && Object.assign(panel, { gridPos: { x: 1 } })],
  ])('one with %s is not', (_what, spoil) => {
    const dashboard = shipped();
    dashboard.panels.forEach(spoil);
    expect(problemsOf(dashboard).length).toBeGreaterThan(0);
  });
});
