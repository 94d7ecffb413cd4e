import { expect, it } from 'vitest';
import { PROXY_MEMORY_MS } from '../proxy/caddy-config.ts';
import { loadConfig } from './load.ts';

it('never lets a port rest shorter than the proxy remembers it', () => {
  const withCoolDown = (ms: number) => () =>
    loadConfig({ CONTAINER_IMAGE: 'localhost/app', CONTAINER_PORT_COOLDOWN: `${ms}ms` });
  expect(withCoolDown(PROXY_MEMORY_MS)).toThrow('CONTAINER_PORT_COOLDOWN');
  expect(withCoolDown(10_000)).not.toThrow();
});
