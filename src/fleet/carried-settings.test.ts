import { expect, it } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { VARIABLE_NAMES } from '../config/variables.ts';
import * as lists from './carried-settings.ts';
import { settingsOf } from './make-token.ts';

function carried(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return settingsOf(env, loadConfig(env).config);
}

it('says of every variable once whether it belongs to the fleet, to each host or to servers', () => {
  const said: readonly string[] = Object.values(lists).flat();
  expect(said.toSorted()).toEqual(VARIABLE_NAMES.toSorted());
});

it.each([
  { PROXY_LISTEN: ':80' },
  { PROXY_LISTEN: ':8000' },
  { PROXY_LISTEN: '127.0.0.1:8001,10.0.0.1:8001' },
  { PROXY_LISTEN: ':8000', PUBLIC_PORT: '80' },
  { PUBLIC_SCHEME: 'https', PUBLIC_PORT: '443' },
  { PUBLIC_SCHEME: 'https', PUBLIC_PORT: '8443' },
])('has instances of every host at the address that visitors come by, with %o', (given) => {
  const env = { BASE_DOMAIN: 'demo.lan', ...given };
  const { PROXY_LISTEN: none, ...settings } = carried(env);
  expect(none).toBeUndefined();
  expect(loadConfig(settings).config.proxy.address).toEqual(loadConfig(env).config.proxy.address);
});

it('has visits end by the same rules on every host', () => {
  const rules = {
    HARM_REMEMBERED: '0s',
    HARM_PAUSE: '0s',
    UNUSED_CPU_THROTTLE_AFTER: '1h',
    UNUSED_CPU_END_AFTER: '2h',
    POOL_HEALTH_INTERVAL: '30s',
  };
  expect(carried(rules)).toMatchObject(rules);
});

it('leaves the engine of a further host to that host where this one has none, as in a pod of Kubernetes', () => {
  const engineless = { CONTAINER_MODE: 'none', CRIU_ENABLED: 'false', CHECKPOINT_SHARE: 'off' };
  expect(carried(engineless)).toMatchObject({ CHECKPOINT_SHARE: 'off' });
  for (const name of ['CONTAINER_MODE', 'CRIU_ENABLED']) expect(carried(engineless)).not.toHaveProperty(name);
  expect(carried({ CONTAINER_MODE: 'podman', CRIU_ENABLED: 'false' })).toMatchObject({ CRIU_ENABLED: 'false' });
});
