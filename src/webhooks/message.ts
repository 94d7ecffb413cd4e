import { createHmac } from 'node:crypto';
import { banCommand } from '../domain/ban-command.ts';
import type { Suspect } from '../domain/suspect.ts';
import type { StreamEvent, VisitEvent } from '../domain/visit-event.ts';

const SECRET_PREFIX = 'whsec_';

/** What a receiver gets, as the Standard Webhooks specification has it. */
export interface WebhookMessage {
  readonly id: string;
  readonly body: string;
}

/** In the words of receivers: no address, but of who is suspected, no cookie, no page of the app is in it. */
export function messageOf(event: StreamEvent): WebhookMessage {
  const { id, atMs } = event;
  if (event.type === 'suspected') {
    const body = { type: 'visitor.suspected', timestamp: isoTime(atMs), data: suspectOf(event.data.suspect) };
    return { id, body: JSON.stringify(body) };
  }
  if (event.type === 'image_adopted' || event.type === 'image_refused') {
    const data = { digest: null, reason: null, ...event.data };
    return { id, body: JSON.stringify({ type: event.type.replace('_', '.'), timestamp: isoTime(atMs), data }) };
  }
  const { visit, sequence, template, site } = event;
  const body = {
    type: `visit.${event.type}`,
    timestamp: isoTime(atMs),
    data: { visit, sequence, template, site, ...detailsOf(event) },
  };
  return { id, body: JSON.stringify(body) };
}

/** To see whether a receiver takes anything. */
export function testMessage(webhook: string, id: string, atMs: number): WebhookMessage {
  return { id, body: JSON.stringify({ type: 'webhook.test', timestamp: isoTime(atMs), data: { webhook } }) };
}

/** The headers that say who sent it, when, and under which id; a receiver refuses what is older than some minutes. */
export function signedHeaders(
  { id, body }: WebhookMessage,
  secrets: readonly string[],
  nowMs: number,
): Record<string, string> {
  const timestamp = Math.floor(nowMs / 1000);
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}

function suspectOf({ kind, who, why, network, taken, takenByAll, ended, unopened, refused, harmful }: Suspect): object {
  const figures = { taken, taken_by_all: takenByAll, ended, unopened, refused, harmful: harmful ?? 0 };
  return { kind, who, why, ...figures, ban: banCommand(network) ?? null };
}

function detailsOf(event: VisitEvent): object {
  switch (event.type) {
    case 'waited':
      return { waited_seconds: seconds(event.data.waitedMs) };
    case 'handed_over':
    case 'extended':
      return { expires_at: isoTime(event.data.deadlineMs) };
    case 'ended':
      return { reason: event.data.reason, used_seconds: seconds(event.data.usedMs) };
    case 'lead_given':
      return { lead: event.data.lead };
    case 'clicked':
    case 'first_page':
    case 'active':
    case 'call_to_action_clicked':
      return {};
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
