import { Counter, Gauge, type Registry } from 'prom-client';
import type { VisitStep } from '../domain/visit-event.ts';
import type { LogLosses } from './log-writer.ts';
import { processRegistry } from './process-metrics.ts';

/**
 * What nobody has visited for so long is told of no more: discovery knows no catalogue, runs for months, and there may
 * be a preview for each change of an app.
 */
const STEPS_TOLD_MS = 30 * 24 * 3_600_000;

export interface DiscoveryMetricsOptions<Outcome extends string> {
  readonly version: string;
  readonly logLosses?: LogLosses;
  /** Every way in which a question can be answered: the values of the label `outcome`. */
  readonly outcomes: readonly Outcome[];
  readonly stats: () => { readonly hostnames: number; readonly inStep: boolean; readonly resyncs: number };
  /** Milliseconds that only go forward. */
  readonly now?: () => number;
}

/** What the discovery process counts; it has a registry of its own, as it is a process of its own. */
export class DiscoveryMetrics<Outcome extends string> {
  readonly registry: Registry;
  readonly contentType: string;
  readonly #answers: Counter<'outcome'>;
  readonly #steps: Counter<'template' | 'site' | 'step'>;
  readonly #now: () => number;
  /** Of each template when it was visited last, and the series that it has. */
  readonly #visited = new Map<
    string,
    { atMs: number; readonly series: Map<string, [site: string, step: VisitStep]> }
  >();

  constructor({ version, logLosses, outcomes, stats, now }: DiscoveryMetricsOptions<Outcome>) {
    this.#now = now ?? (() => performance.now());
    this.registry = processRegistry(version, logLosses);
    this.contentType = this.registry.contentType;
    const registers = [this.registry];
    this.#answers = new Counter({
      name: 'try_it_now_dns_answers_total',
      help: 'DNS questions about where an instance is, by how they were answered.',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of outcomes) this.#answers.inc({ outcome }, 0);
    this.#steps = new Counter({
      name: 'try_it_now_funnel_total',
      help: 'Steps of visits that the questions of the proxy show: first_page, active. By template and embedding site.',
      labelNames: ['template', 'site', 'step'],
      registers,
    });
    new Gauge({
      name: 'try_it_now_dns_hostnames',
      help: 'Instances whose place is known.',
      registers,
      collect() {
        this.set(stats().hostnames);
      },
    });
    new Gauge({
      name: 'try_it_now_dns_in_step',
      help: 'Whether Valkey is being followed: 1 yes, 0 when answers come from memory alone.',
      registers,
      collect() {
        this.set(stats().inStep ? 1 : 0);
      },
    });
    new Counter({
      name: 'try_it_now_dns_resyncs_total',
      help: 'How often everything was read again from Valkey.',
      registers,
      collect() {
        this.reset();
        this.inc(stats().resyncs);
      },
    });
  }

  answered(outcome: Outcome): void {
    this.#answers.inc({ outcome });
  }

  visitStep(template: string, site: string, step: VisitStep): void {
    this.#steps.inc({ template, site, step });
    const visited = this.#visited.get(template) ?? { atMs: 0, series: new Map() };
    visited.atMs = this.#now();
    visited.series.set(`${site} ${step}`, [site, step]);
    this.#visited.set(template, visited);
  }

  text(): Promise<string> {
    for (const [template, { atMs, series }] of this.#visited) {
      if (this.#now() - atMs <= STEPS_TOLD_MS) continue;
      for (const [site, step] of series.values()) this.#steps.remove({ template, site, step });
      this.#visited.delete(template);
    }
    return this.registry.metrics();
  }
}
