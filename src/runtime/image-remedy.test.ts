import { expect, it } from 'vitest';
import { DOCKER } from './docker/descriptor.ts';
import { imageRemedy } from './image-remedy.ts';
import { PODMAN } from './podman/descriptor.ts';

it('says whose images count where each user has some of their own', () => {
  expect([PODMAN, DOCKER].map((engine) => imageRemedy(engine, 'localhost/app:1'))).toEqual([
    'Build it here (podman build -t localhost/app:1 FOLDER) or fetch it (podman pull localhost/app:1), as root: ' +
      "Podman keeps each user's images apart.",
    'Build it here (docker build -t localhost/app:1 FOLDER) or fetch it (docker pull localhost/app:1).',
  ]);
});
