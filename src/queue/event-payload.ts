import { Compile } from 'typebox/compile';
import { StreamEvent } from '../domain/visit-event.ts';

const validator = Compile(StreamEvent);

export function encodeEvent(event: StreamEvent): string {
  return JSON.stringify(event);
}

/** Undefined for another version's, and for what anybody else has published. */
export function decodeEvent(payload: Uint8Array): StreamEvent | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return validator.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
