import { DATABASE_SERVERS } from '../domain/database.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { ImageAgreement } from './agree-on-images.ts';
import type { FailuresHere } from './failures-here.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { Databases } from './interfaces/databases.ts';

export interface TemplateFitnessDeps {
  readonly catalogue: Catalogue;
  readonly runtime: Pick<ContainerRuntime, 'prepare' | 'fetching'>;
  readonly images: Pick<ImageAgreement, 'settle'>;
  /** Undefined on a node without a database server. */
  readonly databases: Databases | undefined;
  readonly failuresHere: Pick<FailuresHere, 'whyNot'>;
}

/** Which templates this node can make instances of, as its engine was last made ready for them, and as that went. */
export class TemplateFitness {
  readonly #deps: TemplateFitnessDeps;
  /** Undefined: the engine is ready. */
  #failure: { readonly reason: string; readonly templates: readonly string[] | undefined } | undefined;

  constructor(deps: TemplateFitnessDeps) {
    this.#deps = deps;
  }

  /** Makes the engine ready for every template, those on offer without others. Throws what the engine throws. */
  async prepare(templates: readonly Template[] = this.#deps.catalogue.all()): Promise<void> {
    const { runtime, images } = this.#deps;
    try {
      await images.settle(templates);
      await runtime.prepare(templates);
      this.#failure = undefined;
    } catch (error) {
      this.#failure = { reason: describeError(error), templates: templatesOf(error) };
      throw error;
    }
  }

  /** Why it cannot make an instance of the template; empty when it can, as far as is known. */
  whyNot(template: Template): string {
    if (template.database !== undefined && this.#deps.databases === undefined)
      return `it has no database server (${DATABASE_SERVERS[template.database.engine].socket} is not set)`;
    const fetching = this.#deps.runtime.fetching?.(template);
    if (fetching !== undefined) return `its image is being fetched: ${fetching}`;
    const failure = this.#failure;
    if (failure !== undefined && (failure.templates?.includes(template.name) ?? true)) return failure.reason;
    return this.#deps.failuresHere.whyNot(template.name);
  }
}

/** Those that a missing image names; undefined: all of them. */
function templatesOf(error: unknown): readonly string[] | undefined {
  if (!(error instanceof TryItNowError) || error.code !== 'image_missing') return undefined;
  const named = error.details?.['templates'];
  return Array.isArray(named) ? named.filter((name) => typeof name === 'string') : undefined;
}
