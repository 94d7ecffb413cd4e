import type * as Core from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import type * as Stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as Time from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

interface PanelOf<Kind extends string, Options, Custom> extends Omit<Core.Panel, 'type' | 'options' | 'fieldConfig'> {
  type: Kind;
  options: Partial<Options>;
  fieldConfig: Omit<Core.FieldConfigSource, 'defaults'> & {
    defaults: Omit<Core.FieldConfig, 'custom'> & { custom?: Partial<Custom> };
  };
}

/** @discriminator type */
type Panel =
  | Core.RowPanel
  | PanelOf<'stat', Stat.Options, Record<string, never>>
  | PanelOf<'timeseries', Time.Options, Time.FieldConfig>;

/** What Grafana takes, by the types that it publishes, with the kinds of panels that ours has. */
export interface GrafanaDashboard extends Omit<Core.Dashboard, 'panels'> {
  panels: Panel[];
}
