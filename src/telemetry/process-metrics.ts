import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/** Gauges of prom-client whose names end like a counter's, which Prometheus' own lint refuses. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** A registry of its own, so that two servers in one process (as in tests) do not count into each other. */
export function processRegistry(version: string): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  new Gauge({
    name: 'try_it_now_build_info',
    help: 'Always 1; the labels tell what is running.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  return registry;
}
