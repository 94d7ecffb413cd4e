import type { HostnameEntry } from '../proxy/discovery/interfaces/hostname-source.ts';
import { parseVersioned } from './versioned.ts';

const ID_FIELD = /"id":"([a-z2-7]{26})"/;

/** An entry of the `hostnames` hash and of its stream; undefined when it is damaged or of another version. */
export function parseHostnameEntry(text: string): HostnameEntry | undefined {
  const value = parseVersioned(text);
  if (typeof value?.['node'] !== 'string' || !isPort(value['port'])) return undefined;
  return { node: value['node'], port: value['port'] };
}

/** The instance an entry names, also in one that cannot be read otherwise; '' when there is none to be found. */
export function hostnameEntryId(text: string): string {
  return ID_FIELD.exec(text)?.[1] ?? '';
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
}
