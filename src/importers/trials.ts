import type { Template } from '../domain/template.ts';
import { newTrialContainer, tryTemplate, type Trial, type TrialDeps } from '../pool/try-template.ts';
import type { TemplateDraft } from './template-yaml.ts';

export interface TrialsOptions {
  readonly deps: TrialDeps;
  /** The template that a file with this draft offers. Throws invalid_config. */
  readonly parse: (draft: TemplateDraft) => Template;
  readonly signal: AbortSignal;
}

/**
 * The trials of an image, one after the other. What they begin is known by its name before it starts: whatever ends
 * them, `removeAll` leaves nothing of theirs running.
 */
export class Trials {
  readonly #options: TrialsOptions;
  readonly #begun = new Set<string>();

  constructor(options: TrialsOptions) {
    this.#options = options;
  }

  /** Throws what `tryTemplate` throws. */
  async run(draft: TemplateDraft): Promise<Trial> {
    const { deps, parse, signal } = this.#options;
    const container = newTrialContainer();
    this.#begun.add(container);
    const trial = await tryTemplate(deps, parse(draft), container, signal);
    if (trial.kind === 'failed') this.#begun.delete(container);
    return trial;
  }

  async remove(container: string): Promise<void> {
    await this.#options.deps.runtime.remove(container);
    this.#begun.delete(container);
  }

  /** Each is tried; throws what kept one of them. */
  async removeAll(): Promise<void> {
    const removed = await Promise.allSettled([...this.#begun].map((container) => this.remove(container)));
    for (const one of removed) if (one.status === 'rejected') throw one.reason;
  }
}
