import { expect, it } from 'vitest';
import { readComposeFile } from './compose-file.ts';
import { imageName } from './compose-image.ts';

const ID = '0123456789abcdef'.repeat(4);

it.each([
  ['nginx', 'docker.io/library/nginx'],
  ['postgres:16', 'docker.io/library/postgres:16'],
  ['postgres@sha256:0123', 'docker.io/library/postgres@sha256:0123'],
  ['acme/app:2', 'docker.io/acme/app:2'],
  ['a/b/c', 'docker.io/a/b/c'],
  ['docker.io/acme/app', 'docker.io/acme/app'],
  ['ghcr.io/acme/app:2', 'ghcr.io/acme/app:2'],
  ['registry:5000/app', 'registry:5000/app'],
  ['localhost/app:1', 'localhost/app:1'],
  [ID, ID],
  [`sha256:${ID}`, `sha256:${ID}`],
  ['', ''],
])('leads from %s to where Compose has it from', (image, name) => {
  const { compose } = readComposeFile('services: { a: { image: x } }', 'compose.yaml', {});
  expect(imageName(compose, image)).toBe(name);
});

it.each(['build: .', 'pull_policy: never', 'pull_policy: build'])('stays as it is made on the host: %s', (line) => {
  const text = `services: { a: { image: acme/app, ${line} }, worker: { image: acme/app }, c: { image: acme/c } }`;
  const { compose } = readComposeFile(text, 'compose.yaml', {});
  expect(['acme/app', 'acme/c'].map((image) => imageName(compose, image))).toEqual(['acme/app', 'docker.io/acme/c']);
});
