import { afterAll, beforeAll, expect, it } from 'vitest';
import { template } from '../../test/support/templates.ts';
import { startResponder, type Responder } from '../dns/responder.ts';
import { RCODE, type Reply } from '../dns/reply.ts';
import { EGRESS } from '../domain/egress.ts';
import { nameServerChecks } from './name-servers.ts';

const of = template({ egress: { ...EGRESS, allow: [{ host: 'api.example', port: 443, protocol: 'tcp' }] } });
const NOT_FOUND: Reply<'unknown'> = { rcode: RCODE.nameError, answers: [], outcome: 'unknown' };
const address = (name: string): Reply<'answered'> => ({
  rcode: RCODE.ok,
  answers: [{ type: 'A', class: 'IN', name, ttl: 5, data: '192.0.2.7' }],
  outcome: 'answered',
});
const responders: Responder[] = [];
let ours: string;
let failing: string;
let strangers: string;

beforeAll(async () => {
  const serve = async (answer: (name: string) => Reply<string>): Promise<string> => {
    const responder = await startResponder({
      what: 'a name server',
      otherwise: '',
      host: '127.0.0.1',
      port: 0,
      answer: ({ name }) => answer(name),
    });
    responders.push(responder);
    return `127.0.0.1:${responder.port}`;
  };
  ours = await serve((name) => (name === 'api.example' ? address(name) : NOT_FOUND));
  failing = await serve((name) =>
    name === 'api.example' ? { rcode: RCODE.serverFailure, answers: [], outcome: 'failed' } : NOT_FOUND,
  );
  strangers = await serve(address);
});
afterAll(() => Promise.all(responders.map((each) => each.close())));

const seen = async (server: string | undefined) => (await nameServerChecks([of], () => server)[0]?.run())?.[0];

it('asks only for templates whose instances reach named places alone, once one of them runs', async () => {
  expect(nameServerChecks([template(), template({ egress: EGRESS })], () => ours)).toEqual([]);
  expect(await seen(undefined)).toMatchObject({ verdict: 'not_looked_at', seen: 'no instance of it runs yet' });
});

it('finds that it answers an allowed name, and no other', async () => {
  expect(await seen(ours)).toMatchObject({
    verdict: 'ok',
    seen: `answers api.example at ${ours}, and no name that is not allowed`,
  });
  expect(await seen(failing)).toMatchObject({
    verdict: 'warning',
    seen: expect.stringContaining('ESERVFAIL') as string,
  });
});

it('finds that nobody answers there, or somebody else', async () => {
  expect(await seen(strangers)).toMatchObject({
    verdict: 'failure',
    seen: expect.stringContaining('another program answers') as string,
  });
  await responders[0]?.close();
  responders.shift();
  expect(await seen(ours)).toMatchObject({
    verdict: 'failure',
    seen: expect.stringContaining('nobody answers') as string,
  });
});
