import type { Template } from '../domain/template.ts';
import { readCall } from './checkpoint-sections.ts';
import { duration, matching, size } from './parsers.ts';
import type { YamlSection } from './yaml-section.ts';

const OTHERS = ['file', 'type', 'max_size', 'timeout'] as const;
const FILE = matching(
  'file name',
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
  'a file name of up to 100 letters, digits, dots, hyphens and underscores, such as my-site.zip',
);
const MEDIA_TYPE = matching(
  'media type',
  /^[a-z0-9][a-z0-9.+-]{0,60}\/[a-z0-9][a-z0-9.+-]{0,60}$/,
  'a media type, such as application/zip',
);
const MAX_SIZE = size('1KiB', '4GiB', '50MiB');
const TIMEOUT = duration('1s', '1h', '2m');
const DEFAULTS = { mediaType: 'application/octet-stream', maxBytes: 100 * 2 ** 20, timeoutMs: 120_000 };

/** What visitors can take home. */
export function readExport(section: YamlSection): Template['export'] {
  if (!section.has('export')) return undefined;
  const own = section.section('export', ['exec', 'http', ...OTHERS]);
  const call = readCall(own, OTHERS);
  const file = own.require('file', FILE)?.value;
  const mediaType = own.read('type', MEDIA_TYPE)?.value ?? DEFAULTS.mediaType;
  const maxBytes = own.read('max_size', MAX_SIZE)?.value ?? DEFAULTS.maxBytes;
  const timeoutMs = own.read('timeout', TIMEOUT)?.value ?? DEFAULTS.timeoutMs;
  return call === undefined || file === undefined ? undefined : { ...call, file, mediaType, maxBytes, timeoutMs };
}
