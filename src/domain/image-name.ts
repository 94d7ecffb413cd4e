/**
 * The registry an image's name begins with, as engines read it: `registry.example.org`, `localhost:5000`. Undefined for
 * one that names none, and for `localhost`, which stands for images made on this host.
 */
export function registryOf(image: string): string | undefined {
  const [first = '', ...rest] = image.split('/');
  return rest.length > 0 && /[.:]/.test(first) ? first : undefined;
}
