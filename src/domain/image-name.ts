/**
 * The registry an image's name begins with, as engines read it: `registry.example.org`, `localhost:5000`. Undefined for
 * one that names none, and for `localhost`, which stands for images made on this host.
 */
export function registryOf(image: string): string | undefined {
  const [first = '', ...rest] = image.split('/');
  return rest.length > 0 && /[.:]/.test(first) ? first : undefined;
}

/**
 * With its registry: Docker lists what is of Docker Hub without it, as `nginx` or `acme/app`, while templates name it,
 * and may do so in several ways. What was made on this host (`localhost/…`) stays as it is.
 */
export function fullName(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const isOfHub = first === 'docker.io' || first === 'index.docker.io';
  if (!isOfHub && rest.length > 0 && (registryOf(image) !== undefined || first === 'localhost')) return image;
  const parts = isOfHub && rest.length > 0 ? rest : [first, ...rest];
  return ['docker.io', ...(parts.length === 1 ? ['library'] : []), ...parts].join('/');
}
