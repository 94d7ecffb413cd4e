import { AckPolicy, RetentionPolicy } from '@nats-io/jetstream';
import { millis, nanos } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { QUICK, TestNats } from '../../test/support/queue.ts';
import { DELIVERY_POLICY, ensureStreams, ensureStreamsAndConsumers } from './stream-and-consumers.ts';

describe('streams and consumers', () => {
  it('are made as operators know them, and made once', async () => {
    await using nats = await TestNats.start();
    const connection = await nats.connect();
    const first = await ensureStreamsAndConsumers(connection, 'node0', DELIVERY_POLICY);
    expect(first.made).toEqual([
      'PROVISIONING',
      'PROVISIONING_DEAD',
      'provision-workers',
      'cleanup-workers',
      'given-up-tasks',
    ]);
    const { manager } = connection;
    expect((await manager.streams.info('PROVISIONING')).config).toMatchObject({
      retention: 'workqueue',
      storage: 'file',
      discard: 'new',
    });
    const dead = (await manager.streams.info('PROVISIONING_DEAD')).config;
    expect(dead).toMatchObject({ retention: 'limits', storage: 'file', discard: 'old', max_msgs: 10_000 });
    expect(millis(dead.max_age)).toBe(7 * 24 * 3600 * 1000);
    for (const [consumer, subject] of [
      ['provision-workers', 'provisioning.provision'],
      ['cleanup-workers', 'provisioning.cleanup.node0'],
    ] as const) {
      const { config } = await manager.consumers.info('PROVISIONING', consumer);
      expect(config).toMatchObject({
        durable_name: consumer,
        filter_subject: subject,
        ack_policy: 'explicit',
        max_deliver: 5,
      });
      expect(millis(config.ack_wait ?? 0)).toBe(30_000);
    }
    const again = await ensureStreamsAndConsumers(connection, 'node0', DELIVERY_POLICY);
    expect(again.made).toEqual([]);
    expect((await ensureStreamsAndConsumers(connection, 'web-2', DELIVERY_POLICY)).made).toEqual([
      'provision-workers-web-2',
      'cleanup-workers-web-2',
    ]);
  });

  it('can be made by several processes at the same time', async () => {
    await using nats = await TestNats.start();
    const connections = await Promise.all([nats.connect(), nats.connect(), nats.connect()]);
    await Promise.all(connections.map((connection) => ensureStreamsAndConsumers(connection, 'node0', QUICK)));
  });

  it('with other settings are changed where NATS allows it, and keep their tasks', async () => {
    await using nats = await TestNats.start();
    const connection = await nats.connect();
    const { manager } = connection;
    await manager.streams.add({
      name: 'PROVISIONING',
      subjects: ['provisioning.provision'],
      retention: RetentionPolicy.Workqueue,
      max_msgs: 10,
    });
    await manager.consumers.add('PROVISIONING', {
      durable_name: 'provision-workers',
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(5_000),
      max_deliver: 2,
      backoff: [nanos(100)],
    });
    await connection.jetstream.publish('provisioning.provision', 'kept');
    expect((await ensureStreamsAndConsumers(connection, 'node0', QUICK)).made).toEqual([
      'PROVISIONING_DEAD',
      'cleanup-workers',
      'given-up-tasks',
    ]);
    const { config, state } = await manager.streams.info('PROVISIONING');
    expect(config.subjects).toContain('provisioning.cleanup.*');
    expect(state.messages).toBe(1);
    const consumer = (await manager.consumers.info('PROVISIONING', 'provision-workers')).config;
    expect(consumer).toMatchObject({ filter_subject: 'provisioning.provision', max_deliver: QUICK.attempts });
    expect(millis(consumer.ack_wait ?? 0)).toBe(QUICK.ackWaitMs);
    expect(consumer.backoff ?? []).toEqual([]);
  });

  it('that cannot be changed are named, with what to do', async () => {
    await using nats = await TestNats.start();
    const connection = await nats.connect();
    const { manager } = connection;
    const conflict = (message: RegExp): unknown =>
      expect.objectContaining({ code: 'queue_conflict', message: expect.stringMatching(message) as unknown });

    await manager.streams.add({ name: 'OTHER', subjects: ['provisioning.*'] });
    await expect(ensureStreams(connection)).rejects.toEqual(
      conflict(/PROVISIONING cannot be made: another stream already takes one of its subjects/),
    );
    await manager.streams.delete('OTHER');

    await manager.streams.add({ name: 'PROVISIONING', subjects: ['provisioning.provision'] });
    await expect(ensureStreams(connection)).rejects.toEqual(
      conflict(/retention "limits", but "workqueue" is needed.*nats stream rm PROVISIONING/),
    );
    await manager.streams.delete('PROVISIONING');

    await ensureStreams(connection);
    await manager.consumers.add('PROVISIONING', {
      durable_name: 'provision-workers',
      ack_policy: AckPolicy.Explicit,
      deliver_subject: 'elsewhere',
      filter_subject: 'provisioning.provision',
    });
    await expect(ensureStreamsAndConsumers(connection, 'node0', QUICK)).rejects.toEqual(
      conflict(/provision-workers .* is not a pull consumer.*nats consumer rm PROVISIONING provision-workers/),
    );
  });
});
