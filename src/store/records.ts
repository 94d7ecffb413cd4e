import { Compile } from 'typebox/compile';
import { InstanceRecord, type Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';

const LANDING = /"landing":"(?:[^"\\]|\\.)*"?,?/;
const validator = Compile(InstanceRecord);

/** The record in `text`, undefined when it is of another version or damaged; then it is logged and left alone. */
export function parseRecord(text: string, log: Log): Instance | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (validator.Check(value) && hasItsTimes(value)) return withoutLanding(value);
  log.error({ record: text.replace(LANDING, '').slice(0, 200) }, 'Skipped an instance record that cannot be read');
  return undefined;
}

/** A secret that one script alone hands out, to the one visitor it is for. */
function withoutLanding(record: Instance & { readonly landing?: unknown }): Instance {
  if (record.landing === undefined) return record;
  const rest: { landing?: unknown } & Instance = { ...record };
  delete rest.landing;
  return rest;
}

/** For a text a script has just written: anything unreadable there is a defect of ours. */
export function requireRecord(text: unknown, log: Log): Instance {
  const record = typeof text === 'string' ? parseRecord(text, log) : undefined;
  if (record === undefined) throw new Error('a store script answered with something that is no instance record');
  return record;
}

/** A record of before there were attempts belongs to none. */
export function attemptOf({ attempt }: Instance): string {
  return attempt ?? '';
}

/** As the scripts ask for them (is_sound in lua/prelude.lua): what they compare with is there. */
function hasItsTimes({ state, assignedAtMs, deadlineMs, endOfLifeMs }: Instance): boolean {
  if (state === 'ready') return endOfLifeMs !== null;
  return state !== 'assigned' || (assignedAtMs !== null && deadlineMs !== null && endOfLifeMs !== null);
}
