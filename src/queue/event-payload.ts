import { Compile } from 'typebox/compile';
import { VisitEvent } from '../domain/visit-event.ts';

const validator = Compile(VisitEvent);

export function encodeEvent(event: VisitEvent): string {
  return JSON.stringify(event);
}

/** Undefined for another version's, and for what anybody else has published. */
export function decodeEvent(payload: Uint8Array): VisitEvent | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return validator.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
