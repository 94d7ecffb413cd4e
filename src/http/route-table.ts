import type { FastifyInstance, FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';

/** Which methods an address takes; asked only when a request matched no route. */
export class RouteTable {
  readonly #catalogue: string;
  readonly #routes: { readonly segments: readonly string[]; readonly methods: readonly string[] }[] = [];

  /** `catalogue`: where people find what there is. */
  constructor(catalogue: string) {
    this.#catalogue = catalogue;
  }

  /** Call before any route is added. */
  watch(app: FastifyInstance): void {
    app.addHook('onRoute', ({ url, method, config }) => {
      if (config?.refused === true) return;
      this.#routes.push({ segments: url.split('/'), methods: typeof method === 'string' ? [method] : [...method] });
    });
  }

  /** Why a request matched no route: nothing is there, or not for this method. */
  refusal({ url, method }: FastifyRequest): TryItNowError {
    const path = url.split('?', 1)[0] ?? '';
    const methods = this.#methodsAt(path);
    if (methods.length === 0)
      return new TryItNowError(
        'unknown_route',
        `There is nothing at ${path.slice(0, 200)}; ${this.#catalogue} lists what there is`,
      );
    return new TryItNowError('method_not_allowed', `${path} does not take ${method}; it takes ${methods.join(', ')}`, {
      details: { allow: methods },
    });
  }

  #methodsAt(path: string): string[] {
    const asked = path.split('/');
    const exact = this.#routes.filter(({ segments }) => segments.join('/') === path);
    const fits = (segments: readonly string[]) =>
      segments.length === asked.length &&
      segments.every((segment, index) => (segment.startsWith(':') ? asked[index] !== '' : segment === asked[index]));
    const there = exact.length > 0 ? exact : this.#routes.filter(({ segments }) => fits(segments));
    return [...new Set(there.flatMap(({ methods }) => methods))].sort();
  }
}
