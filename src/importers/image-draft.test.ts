import { describe, expect, it } from 'vitest';
import type { ImageFacts } from '../runtime/engine.ts';
import { imageDraft } from './image-draft.ts';

const BARE: ImageFacts = {
  id: 'sha256:1',
  architecture: 'amd64',
  ports: [],
  user: '',
  volumes: [],
  env: {},
  entrypoint: [],
  command: [],
  healthcheck: undefined,
};

describe('the draft of an image', () => {
  it.each([
    [[80, 443], 80],
    [[443, 3000, 9229], 3000],
    [[7000, 7001], 7000],
    [[], 8080],
  ])('of the ports %j that it exposes has %i', (ports, port) => {
    expect(imageDraft('x', { ...BARE, ports }, { port: undefined }).draft['port']).toBe(port);
  });

  it('has the port that was asked for, whatever the image exposes', () => {
    expect(imageDraft('x', { ...BARE, ports: [80] }, { port: 81 }).draft['port']).toBe(81);
  });

  it('has what a person says of it, and no key without a value', () => {
    const wanted = { env: { A: '1' }, args: ['--host', '::'], open: '/wiki/' };
    expect(imageDraft('x', BARE, wanted).draft).toMatchObject(wanted);
    expect(Object.keys(imageDraft('x', BARE, { env: {}, args: [] }).draft)).toEqual([
      'name',
      'image',
      'port',
      'limits',
    ]);
  });

  it.each([
    ['docker.io/library/node-red:3', 'node-red'],
    ['localhost:5000/team/My_App@sha256:abc', 'my-app'],
    ['registry/---', 'app'],
  ])('of %s is named %s', (image, name) => {
    expect(imageDraft(image, BARE, { port: undefined }).draft).toMatchObject({ name, image });
  });

  it('is ready when the path of its health check answers, where that is one of its port', () => {
    const withCheck = (test: string[]) =>
      imageDraft('x', { ...BARE, ports: [3000], healthcheck: test }, { port: undefined }).draft['readiness'];
    expect(withCheck(['CMD', 'wget', '-q', 'http://127.0.0.1:3000/ping'])).toEqual({ http: { path: '/ping' } });
    expect(withCheck(['CMD-SHELL', 'curl -f http://localhost:9000/ping || exit 1'])).toBeUndefined();
    expect(withCheck(['NONE'])).toBeUndefined();
  });

  it('says which ports stay inside and what becomes of its volumes', () => {
    const { notes } = imageDraft('x', { ...BARE, ports: [80, 443], volumes: ['/data'] }, { port: undefined });
    expect(notes.map(({ text }) => text).join('\n')).toMatch(/exposes 80, 443[^]*keeps its data in \/data/);
  });
});
