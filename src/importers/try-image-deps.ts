import type { Template } from '../domain/template.ts';
import type { TrialDeps } from '../pool/try-template.ts';
import type { EngineInspection } from '../runtime/engine.ts';
import type { TemplateDraft } from './template-yaml.ts';

/** What the trials of an image are made with. */
export interface TryImageDeps extends TrialDeps {
  readonly inspection: EngineInspection;
  /** The template that a file with this draft offers. Throws invalid_config. */
  readonly parse: (draft: TemplateDraft) => Template;
}
