import type { Tracer } from '../../domain/tracer.ts';

/** The names of what answers with a promise. */
type Answering<T> = {
  [Name in keyof T]: T[Name] extends (...args: never[]) => Promise<unknown> ? Name : never;
}[keyof T];

/** `target`, with a span named `<part> <method>` around each call of these methods from outside. */
export function traced<T extends object>(
  tracer: Tracer,
  part: string,
  target: T,
  methods: readonly (Answering<T> & string)[],
): T {
  const calls = new Map<PropertyKey, unknown>(
    methods.map((name) => {
      const method = target[name] as (...args: unknown[]) => Promise<unknown>;
      return [name, (...args: unknown[]) => tracer.span(`${part} ${name}`, () => method.apply(target, args))];
    }),
  );
  return new Proxy(target, {
    get(of, name) {
      const call = calls.get(name);
      if (call !== undefined) return call;
      const value: unknown = Reflect.get(of, name, of);
      // Private fields are the target's own.
      return typeof value === 'function' ? (value.bind(of) as unknown) : value;
    },
  });
}
