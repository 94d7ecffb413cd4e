import { expect, it } from 'vitest';
import { template } from '../../test/support/templates.ts';
import { EGRESS } from '../domain/egress.ts';
import { egressNamesChecks } from './egress-names.ts';

const allowing = (...hosts: string[]) =>
  template({ egress: { ...EGRESS, allow: hosts.map((host) => ({ host, port: 443, protocol: 'tcp' })) } });
const lookUp = (host: string): Promise<string[]> =>
  host === 'gone.example' ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve([host.replace('.example', '')]);
const verdicts = async (...hosts: string[]) => egressNamesChecks([allowing(...hosts)], lookUp)[0]?.run();

it('says which names lead nowhere outside', async () => {
  expect(egressNamesChecks([template(), template({ egress: EGRESS })])).toEqual([]);
  expect(await verdicts('192.0.2.1.example')).toMatchObject([{ verdict: 'ok' }]);
  expect(await verdicts('192.0.2.1.example', '10.1.2.3.example', 'gone.example')).toMatchObject([
    {
      verdict: 'warning',
      seen:
        'instances do not get there: 10.1.2.3.example leads to no public IPv4 address; ' +
        'gone.example is not found (ENOTFOUND)',
    },
  ]);
});
