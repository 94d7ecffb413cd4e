import { readFileSync } from 'node:fs';

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly {
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: { readonly uid: string };
  }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit: string;
      readonly custom?: { readonly thresholdsStyle: { readonly mode: string } };
      readonly thresholds: { readonly steps: readonly { readonly value: number | null }[] };
    };
  };
}

export interface Dashboard {
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly panels: readonly Panel[];
}

export function shippedDashboard(): Dashboard {
  return JSON.parse(readFileSync('deploy/grafana/try-it-now.json', 'utf8')) as Dashboard;
}

/** As Grafana asks it with everything chosen. `window` stands for what Grafana makes of the scrape interval. */
export function asked(expr: string, window: string): string {
  return expr.replaceAll('$__rate_interval', window).replaceAll('$job', 'try-it-now').replaceAll('$template', '.*');
}
