import { expect, it } from 'vitest';
import { silent } from '../../../test/support/store.ts';
import { RCODE } from '../../dns/reply.ts';
import type { Admission } from './address-sets.ts';
import { AllowedNames, type FoundAddress } from './allowed-names.ts';
import { isOutside } from './public-addresses.ts';

const HOST = 'api.example.org';

function world(answers: readonly (readonly FoundAddress[] | Error)[]) {
  const asked: string[] = [];
  const admitted: (readonly Admission[])[] = [];
  const state = { now: 0, broken: false };
  const left = [...answers];
  const names = new AllowedNames({
    destinations: [
      { host: HOST, port: 443, protocol: 'tcp' },
      { host: HOST, port: 123, protocol: 'udp' },
    ],
    lookUp: (host) => {
      asked.push(host);
      const next = left.shift() ?? [];
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
    admit: (admissions) => {
      admitted.push(admissions);
      return state.broken ? Promise.reject(new Error('no such set')) : Promise.resolve();
    },
    now: () => state.now,
    log: silent,
  });
  const ask = async (name = HOST, type = 'A', of = 'IN') => {
    const { rcode, answers: found, outcome } = await names.answer({ name, type, class: of } as never);
    return {
      rcode,
      outcome,
      found: found.map((each) => [each.name, 'ttl' in each && each.ttl, 'data' in each && each.data]),
    };
  };
  return { names, asked, admitted, state, ask };
}

const failure = (code: string): Error => Object.assign(new Error(code), { code });

it('opens what it answers before it answers, for as long as that holds and ten minutes longer', async () => {
  const { ask, admitted, asked, state, names } = world([
    [
      { address: '192.0.2.1', ttl: 60 },
      { address: '192.0.2.2', ttl: 30 },
    ],
  ]);
  const answered = { rcode: RCODE.ok, outcome: 'answered' };
  expect(await ask('API.Example.ORG')).toEqual({
    ...answered,
    found: [
      ['API.Example.ORG', 30, '192.0.2.1'],
      ['API.Example.ORG', 30, '192.0.2.2'],
    ],
  });
  expect(admitted).toEqual([
    ['192.0.2.1', '192.0.2.2'].flatMap((address) => [
      { address, port: 443, protocol: 'tcp', forSeconds: 630 },
      { address, port: 123, protocol: 'udp', forSeconds: 630 },
    ]),
  ]);
  state.now = 20_500;
  expect((await ask()).found[0]).toEqual([HOST, 10, '192.0.2.1']);
  expect(asked).toEqual([HOST]);
  await names.admitAgain();
  expect(admitted[1]?.[0]).toEqual({ address: '192.0.2.1', port: 443, protocol: 'tcp', forSeconds: 610 });
  state.now = 30_000;
  await ask();
  expect(asked).toEqual([HOST, HOST]);
});

it('answers nothing else, and asks nobody for it', async () => {
  const { ask, asked } = world([]);
  for (const name of ['example.org', `secret.${HOST}`, `${HOST}.evil.example`, ''])
    expect(await ask(name)).toEqual({ rcode: RCODE.nameError, outcome: 'refused', found: [] });
  for (const type of ['AAAA', 'TXT', 'MX', 'HTTPS', 'ANY', 'PTR'])
    expect(await ask(HOST, type)).toEqual({ rcode: RCODE.ok, outcome: 'no_data', found: [] });
  expect((await ask(HOST, 'A', 'CH')).rcode).toBe(RCODE.refused);
  expect(asked).toEqual([]);
});

it('never opens an address that is not public, and leaves it out of an answer', async () => {
  const inside = ['10.0.0.1', '127.0.0.1', '169.254.169.254', '0.0.0.0', '100.64.0.1', '192.168.1.1', '172.31.0.1'];
  const others = ['224.0.0.1', '255.255.255.255', '198.18.0.1', '::1', '::ffff:192.0.2.1', '64:ff9b::c000:201', 'x'];
  for (const address of [...inside, ...others]) expect(isOutside(address), address).toBe(false);
  const each = [...inside, ...others].map((address) => ({ address, ttl: 60 }));
  const { ask, admitted } = world([each, [...each, { address: '192.0.2.9', ttl: 60 }]]);
  expect(await ask()).toEqual({ rcode: RCODE.nameError, outcome: 'private', found: [] });
  const second = world([[...each, { address: '192.0.2.9', ttl: 60 }]]);
  expect((await second.ask()).found).toEqual([[HOST, 60, '192.0.2.9']]);
  expect(admitted.flat()).toEqual([]);
  expect(new Set(second.admitted.flat().map(({ address }) => address))).toEqual(new Set(['192.0.2.9']));
});

it('says what became of a name that it cannot answer, and asks again soon', async () => {
  const { ask, state, asked } = world([failure('ENOTFOUND'), failure('ETIMEOUT'), [{ address: '192.0.2.1', ttl: 0 }]]);
  expect(await ask()).toMatchObject({ rcode: RCODE.nameError, outcome: 'unknown' });
  await ask();
  expect(asked).toHaveLength(1);
  state.now = 5_000;
  expect(await ask()).toMatchObject({ rcode: RCODE.serverFailure, outcome: 'failed' });
  state.now = 10_000;
  expect((await ask()).found).toEqual([[HOST, 5, '192.0.2.1']]);
});

it('answers nothing that could not be opened', async () => {
  const { ask, state } = world([[{ address: '192.0.2.1', ttl: 60 }], [{ address: '192.0.2.1', ttl: 60 }]]);
  state.broken = true;
  expect(await ask()).toMatchObject({ rcode: RCODE.serverFailure, found: [] });
  state.broken = false;
  expect(await ask()).toMatchObject({ rcode: RCODE.ok, outcome: 'answered' });
});

it('asks once for many who ask at the same time', async () => {
  const { ask, asked } = world([[{ address: '192.0.2.1', ttl: 60 }]]);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask()));
  expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set(['answered']));
  expect(asked).toEqual([HOST]);
});

it('answers and keeps open what is allowed from now on, and nothing else', async () => {
  const found = [{ address: '192.0.2.1', ttl: 60 }];
  const { ask, asked, names } = world([found, found]);
  await ask();
  expect(names.change([{ host: HOST, port: 8443, protocol: 'tcp' }])).toEqual([
    { address: '192.0.2.1', port: 8443, protocol: 'tcp', forSeconds: 660 },
  ]);
  expect(names.change([{ host: 'other.example.org', port: 443, protocol: 'tcp' }])).toEqual([]);
  expect([(await ask()).outcome, (await ask('other.example.org')).outcome]).toEqual(['refused', 'answered']);
  expect(asked).toEqual([HOST, 'other.example.org']);
});
