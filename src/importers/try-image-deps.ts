import type { Template } from '../domain/template.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { EngineInspection } from '../runtime/engine.ts';
import type { TemplateDraft } from './template-yaml.ts';
import type { Trials } from './trials.ts';

/** What an image is tried with. */
export interface TryImageDeps {
  readonly runtime: Pick<ContainerRuntime, 'prepare' | 'fetchImage'>;
  readonly inspection: Pick<EngineInspection, 'image'>;
  readonly trials: Trials;
  readonly signal: AbortSignal;
  /** The template that a file with this draft offers. Throws invalid_config. */
  readonly parse: (draft: TemplateDraft) => Template;
}
