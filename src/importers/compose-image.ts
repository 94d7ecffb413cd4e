import type { ComposeFile, ComposeService } from './compose-file.ts';

const HUB = 'docker.io';
/** By its id an image is found on one host only. */
const ID = /^(?:sha256:)?[0-9a-f]{64}$/;

/**
 * What a service's image is called where no registry is taken for granted: Compose has Docker Hub in mind. A name of
 * an image that is made on the host stays as it is.
 */
export function imageName(compose: ComposeFile, image: string): string {
  const [first = '', ...rest] = image.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (image === '' || hasRegistry || ID.test(image) || isMadeHere(compose, image)) return image;
  return rest.length > 0 ? `${HUB}/${image}` : `${HUB}/library/${image}`;
}

/** Where one service builds it, others take it by its name. */
function isMadeHere({ services }: ComposeFile, image: string): boolean {
  const users = Object.values(services).filter((service) => String(service.image) === image);
  return users.some((service) => service.build !== undefined || isNeverFetched(service));
}

function isNeverFetched({ pull_policy: policy }: ComposeService): boolean {
  return policy === 'never' || policy === 'build';
}
