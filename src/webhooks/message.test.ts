import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { SUSPECT } from '../../test/support/suspect.ts';
import type { VisitEvent } from '../domain/visit-event.ts';
import { eventsOf } from '../pool/publish-events.ts';
import { messageOf, signedHeaders } from './message.ts';

const [NEW, OLD] = [7, 8].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`) as [string, string];
const ended: VisitEvent = {
  v: 1,
  id: 'evt_1795881600123-0-3',
  type: 'ended',
  atMs: Date.UTC(2026, 10, 28, 16),
  visit: '0123456789abcdef01234567',
  sequence: 3,
  template: 'shop',
  site: 'docs.example.org',
  data: { reason: 'expired', usedMs: 90_400 },
};

describe('A message', () => {
  const message = messageOf(ended);

  it('says what happened, in plain units, and nothing of the visitor', () => {
    expect(JSON.parse(message.body)).toEqual({
      type: 'visit.ended',
      timestamp: '2026-11-28T16:00:00.000Z',
      data: {
        visit: ended.visit,
        sequence: 3,
        template: 'shop',
        site: 'docs.example.org',
        reason: 'expired',
        used_seconds: 90,
      },
    });
  });

  it('tells who is suspected, with the command that bans them', () => {
    const event = {
      v: 1,
      id: 'evt_0123456789abcdef-0',
      type: 'suspected',
      atMs: ended.atMs,
      data: { suspect: SUSPECT },
    } as const;
    expect(JSON.parse(messageOf(event).body)).toEqual({
      type: 'visitor.suspected',
      timestamp: '2026-11-28T16:00:00.000Z',
      data: {
        ...{ kind: 'address', who: '203.0.113.7', why: 'share' },
        ...{ taken: 12, taken_by_all: 20, ended: 8, unopened: 8, refused: 3, harmful: 0 },
        ban: "try-it-now bans add 203.0.113.7/32 --for 1d --reason 'Burns the pool' --end",
      },
    });
  });

  it('tells who waited how long they did, from when they clicked', () => {
    const entry = {
      v: 1,
      kind: 'claimed',
      id: 'a'.repeat(26),
      template: 'shop',
      site: 'direct',
      atMs: Date.UTC(2026, 10, 28, 16),
      sequence: 1,
      deadlineMs: Date.UTC(2026, 10, 28, 16, 30),
      waitedMs: 65_000,
    } as const;
    const told = eventsOf('1-0', entry).map((event) => {
      const { type, timestamp, data } = JSON.parse(messageOf(event).body) as Record<string, unknown> & { data: object };
      return [type, timestamp, data];
    });
    expect(told).toMatchObject([
      ['visit.clicked', '2026-11-28T15:58:55.000Z', { sequence: 1 }],
      ['visit.waited', '2026-11-28T16:00:00.000Z', { sequence: 2, waited_seconds: 65 }],
      ['visit.handed_over', '2026-11-28T16:00:00.000Z', { sequence: 3, expires_at: '2026-11-28T16:30:00.000Z' }],
    ]);
  });

  it('verifies with the public library, by either of two keys', () => {
    const headers = signedHeaders(message, [NEW, OLD], Date.now());
    expect(headers['webhook-id']).toBe(ended.id);
    for (const key of [NEW, OLD])
      expect(new Webhook(key).verify(message.body, headers)).toMatchObject({ type: 'visit.ended' });
  });

  it.each([
    ['another body', { ...message, body: message.body.replace('expired', 'released') }, NEW, 0],
    ['another id', { ...message, id: 'evt_1-0-1' }, NEW, 0],
    ['another key', message, OLD, 0],
    ['a message of an hour ago', message, NEW, 3_600_000],
  ])('does not verify as %s', (_, received, key, ageMs) => {
    const sent = signedHeaders(message, [NEW], Date.now() - ageMs);
    const headers = { ...sent, 'webhook-id': received.id };
    expect(() => new Webhook(key).verify(received.body, headers)).toThrow();
  });
});
