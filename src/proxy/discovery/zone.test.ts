import { expect, it } from 'vitest';
import { RCODE } from '../../dns/reply.ts';
import { newHostLabel } from '../../domain/ids.ts';
import { NameTable } from './name-table.ts';
import { answer, type AskStore, type Reply } from './zone.ts';

const known = newHostLabel();
const other = newHostLabel();
const gone = newHostLabel();
const UNREACHABLE_PORT = 20_009;
const nobody: AskStore = () => Promise.reject(new Error('the store must not be asked'));

function table(): NameTable {
  const names = new NameTable();
  names.replace(
    new Map([
      [known, { node: 'node0', port: 20_001 }],
      [gone, { node: 'node0', port: UNREACHABLE_PORT }],
    ]),
    {
      nodes: new Map([
        ['node0', '127.0.0.1'],
        ['Node-B', 'fd00::2'],
      ]),
      lost: new Set(),
    },
  );
  return names;
}

const ask = async (name: string, type = 'SRV', askStore = nobody, names = table()): Promise<Reply> =>
  answer({ name, type: type as 'SRV', class: 'IN' }, names, {
    askStore,
    isUnreachable: ({ port }) => port === UNREACHABLE_PORT,
    onLocated: () => undefined,
  });

it('answers from memory alone where an instance and its node are', async () => {
  const reply = await ask(`${known.toUpperCase()}.Demo.Internal`);
  expect(reply).toMatchObject({ rcode: RCODE.ok, outcome: 'known' });
  expect(reply.answers).toMatchObject([{ type: 'SRV', data: { port: 20_001, target: 'node0.demo.internal' } }]);
  expect((await ask('node0.demo.internal', 'A')).answers).toMatchObject([{ type: 'A', data: '127.0.0.1' }]);
  expect((await ask('node-b.demo.internal', 'AAAA')).answers).toMatchObject([{ type: 'AAAA', data: 'fd00::2' }]);
});

it.each([
  ['another zone', 'example.org', 'SRV', RCODE.refused],
  ['a name that only ends like ours', 'notdemo.internal', 'SRV', RCODE.refused],
  ['the zone itself', 'demo.internal', 'SRV', RCODE.ok],
  ['an instance by another type', `${known}.demo.internal`, 'A', RCODE.ok],
  ['a node by the other family', 'node0.demo.internal', 'AAAA', RCODE.ok],
  ['a name no instance can have', 'www.demo.internal', 'SRV', RCODE.nameError],
])('gives no address for %s', async (_, name, type, rcode) => {
  expect(await ask(name, type)).toMatchObject({ rcode, answers: [] });
});

it.each<[string, Awaited<ReturnType<AskStore>>, number]>([
  ['has it', { node: 'node0', port: 20_002 }, RCODE.ok],
  ['has it not', 'unknown', RCODE.nameError],
  ['cannot say', 'unsure', RCODE.serverFailure],
])('asks the store for a name it does not know: where that %s', async (_, found, rcode) => {
  expect((await ask(`${other}.demo.internal`, 'SRV', () => Promise.resolve(found))).rcode).toBe(rcode);
});

it('has no place for an instance whose host is gone', async () => {
  expect(await ask(`${gone}.demo.internal`)).toMatchObject({ rcode: RCODE.nameError, outcome: 'lost' });
});

it('calls nothing unknown before it has ever been filled', async () => {
  expect((await ask('www.demo.internal', 'SRV', nobody, new NameTable())).rcode).toBe(RCODE.serverFailure);
});
