import { afterEach, beforeEach, expect, it } from 'vitest';
import { newHostLabel } from '../../src/domain/ids.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { eventually } from '../support/eventually.ts';
import { echo, get, openSocket, startProxyWorld, startUpstream } from '../support/proxy.ts';
import { silent } from '../support/store.ts';

let releasers: Releasers;

beforeEach(() => {
  releasers = new Releasers();
});
afterEach(() => releasers.releaseAll(silent));

it('a WebSocket stays open and answers while 50 other instances come and go', async () => {
  const world = await startProxyWorld(releasers);
  const mine = await startUpstream(releasers, (_, response) => response.end('mine'));
  const other = await startUpstream(releasers, (_, response) => response.end('other'));
  await world.names.publish(mine.label, mine.port);
  const socket = await openSocket(releasers, world.proxyPort, `${mine.label}.localhost`);

  for (let round = 0; round < 50; round += 1) {
    const label = newHostLabel();
    await world.names.publish(label, other.port);
    expect(await get(world.proxyPort, `${label}.localhost`)).toMatchObject({ status: 200, body: 'other' });
    expect(await world.proxy.ensure()).toBe('unchanged');
    await world.names.withdraw(label);
    expect(await echo(socket, `round ${round}`)).toBe(`round ${round}`);
  }

  // They really went: none of the last ones answers any more, and the socket is still the first one.
  await eventually(() => expect(world.discovery.stats().hostnames).toBe(1));
  expect(await echo(socket, 'end')).toBe('end');
});
