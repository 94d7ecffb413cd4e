import { expect, it } from 'vitest';
import { fullName } from './image-name.ts';
import { digestUnder, repositoryOf, withTag } from './image-pin.ts';

it.each([
  ['nginx', 'docker.io/library/nginx'],
  ['nginx:1', 'docker.io/library/nginx:1'],
  ['acme/app@sha256:d1', 'docker.io/acme/app@sha256:d1'],
  ['docker.io/nginx', 'docker.io/library/nginx'],
  ['docker.io/acme/app:1', 'docker.io/acme/app:1'],
  ['index.docker.io/acme/app', 'docker.io/acme/app'],
  ['registry.example.org/app', 'registry.example.org/app'],
  ['127.0.0.1:5000/acme/app:1', '127.0.0.1:5000/acme/app:1'],
  ['localhost/app:1', 'localhost/app:1'],
])('%s is in full %s', (name, full) => {
  expect(fullName(name)).toBe(full);
  expect(fullName(full)).toBe(full);
});

it('an image has the digest of the repository that it is named by, however the engine writes that', () => {
  const digests = ['mirror.example.org/acme/app@sha256:d1', 'acme/app@sha256:d2', 'acme/app-extra@sha256:d3'];
  expect(digestUnder('docker.io/acme/app:1', digests)).toBe('sha256:d2');
  expect(digestUnder('docker.io/acme/app@sha256:d2', digests)).toBe('sha256:d2');
  expect(digestUnder('mirror.example.org/acme/app', digests)).toBe('sha256:d1');
  expect(digestUnder('quay.io/acme/app', digests)).toBeUndefined();
});

it('names are in one form, with the tag that one without stands for', () => {
  expect(withTag('nginx')).toBe('docker.io/library/nginx:latest');
  expect(withTag('registry.example.org:5000/app')).toBe('registry.example.org:5000/app:latest');
  expect(repositoryOf('registry.example.org:5000/app:1@sha256:d1')).toBe('registry.example.org:5000/app');
});
