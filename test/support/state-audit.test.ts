import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { request } from 'undici';
import { expect, it } from 'vitest';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { discrepancies, discrepanciesSoFar, readRecords, type Entry } from './state-audit.ts';
import { eventually } from './eventually.ts';
import { Guest } from './guest.ts';
import { ServerProcess } from './server-process.ts';

/** An audit that finds nothing proves something only when it finds what is wrong. */
it('the audit names everything that is put out of order behind a dead server', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tin-audit-'));
  try {
    await using engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
    await using server = await ServerProcess.launch({
      engine: 'simulated',
      engineSocket: engine.socketPath,
      ports: 20,
      templates: [
        {
          name: 'app',
          image: 'localhost/simulated',
          port: 80,
          pool: { target: 2, max: 5 },
          ttl: { default: '30m', max: '2h' },
        },
      ],
    });
    await new Guest(server, 'app').takeEventually();
    const soFar = (): Promise<string[]> => discrepanciesSoFar(server.auditTarget);
    // What is asked until there is nothing has to see all of it too, at the latest when the records are in order.
    const audit = async (): Promise<string[]> => {
      const all = await discrepancies(server.auditTarget);
      expect(all).toEqual(expect.arrayContaining(await soFar()));
      expect((await soFar()).length > 0).toBe(all.length > 0);
      return all;
    };
    await eventually(async () => expect(await soFar()).toEqual([]));
    await server.kill();
    expect(await audit()).toEqual([]);

    const valkey = new Valkey(server.auditTarget.valkeyPort, '127.0.0.1');
    const spare = (await valkey.srandmember('available_ports')) ?? 'none';
    try {
      const records = await readRecords(server.auditTarget);
      const ready = records.find(({ state }) => state === 'ready');
      const assigned = records.find(({ state }) => state === 'assigned');
      if (ready === undefined || assigned === undefined) throw new Error('there is one of each');
      await breakAndRepair(valkey, audit, ready, assigned, spare);
      await breakForGood(valkey, ready, assigned, spare, engine.socketPath);
      const found = (await audit()).join('\n');
      for (const problem of [
        `the ticket nobody of app is out`,
        `the container ${ready.container} of ready instance ${ready.id} is not there`,
        `no record knows the container ${assigned.container}`,
        `the port ${spare} is recorded twice`,
        `${assigned.id} is in assigned:app`,
      ])
        expect(found).toContain(problem);
    } finally {
      valkey.disconnect();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** One thing at a time, and back. */
async function breakAndRepair(
  valkey: Valkey,
  audit: () => Promise<string[]>,
  ready: Entry,
  assigned: Entry,
  spare: string,
): Promise<void> {
  const cases: readonly {
    readonly break: () => Promise<unknown>;
    readonly repair: () => Promise<unknown>;
    readonly found: string;
  }[] = [
    {
      break: () => valkey.srem('available_ports', spare),
      repair: () => valkey.sadd('available_ports', spare),
      found: `the port ${spare} is lost`,
    },
    {
      break: () => valkey.sadd('available_ports', '27000'),
      repair: () => valkey.srem('available_ports', '27000'),
      found: 'the port 27000 is outside the range',
    },
    {
      break: () => valkey.zrem('ready:app', ready.id),
      repair: () => valkey.zadd('ready:app', ready.endOfLifeMs ?? 0, ready.id),
      found: `missing from its index: ready app ${ready.id}`,
    },
    {
      break: () => valkey.zadd('assigned:app', 5, assigned.id),
      repair: () => valkey.zadd('assigned:app', assigned.deadlineMs ?? 0, assigned.id),
      found: `${assigned.id} stands at 5 in assigned:app`,
    },
    {
      break: () => valkey.hset('hostnames', 'stray', '{"id":"x","port":1}'),
      repair: () => valkey.hdel('hostnames', 'stray'),
      found: 'the name stray resolves without a live instance',
    },
    {
      break: () => valkey.zadd('waiting:app', Date.now(), 'nobody'),
      repair: () => valkey.del('waiting:app'),
      found: 'the line for app has 1 places, 0 kept, 0 known',
    },
    {
      break: () => valkey.set('ended_visit:stray', '{}'),
      repair: () => valkey.del('ended_visit:stray'),
      found: 'ended_visit:stray never ends',
    },
    {
      break: () => valkey.hset('held_ports', spare, 'nobody'),
      repair: () => valkey.hdel('held_ports', spare),
      found: `the port ${spare} is held by nobody`,
    },
  ];
  for (const { break: putOut, repair, found } of cases) {
    await putOut();
    expect((await audit()).join('\n')).toContain(found);
    await repair();
    expect(await audit()).toEqual([]);
  }
}

async function breakForGood(
  valkey: Valkey,
  ready: Entry,
  assigned: Entry,
  spare: string,
  engineSocket: string,
): Promise<void> {
  const { Client } = await import('undici');
  const engine = new Client('http://engine', { socketPath: engineSocket });
  try {
    await (
      await request(`http://engine/containers/${ready.container}`, { method: 'DELETE', dispatcher: engine })
    ).body.dump();
  } finally {
    await engine.close();
  }
  await valkey.zadd('warming:app', Date.now(), 'nobody');
  await valkey.zadd('cooling_ports', Date.now(), spare);
  await valkey.hdel('instances', assigned.id);
}
