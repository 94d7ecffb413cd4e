import { basename } from 'node:path';
import type { ComposeFile, ComposeService, ShortOrLong } from './compose-file.ts';
import { mount, sizeOf } from './compose-values.ts';
import type { TemplateDraft } from './template-yaml.ts';

/** What a Compose file refers to beside itself, by paths relative to its folder. */
export interface ReadFile {
  /** What lies there. */
  readonly kind: (path: string) => 'file' | 'folder' | 'other' | 'missing';
  /** The variables in an environment file; undefined when it cannot be read. */
  readonly environment: (path: string) => Readonly<Record<string, string>> | undefined;
}

/** What a `tmpfs` without a size gets. */
const TMPFS_SIZE = '16MiB';

/**
 * Files that are mounted into the service become files put into each instance; folders of the host and data kept for
 * longer have no place in one, which `tell` is told.
 */
export function mountedFiles(
  compose: ComposeFile,
  service: ComposeService,
  { kind }: ReadFile,
  tell: (text: string) => void,
): { readonly files: readonly TemplateDraft[]; readonly tmpfs: Readonly<Record<string, string>> } {
  const files: TemplateDraft[] = [];
  const tmpfs: Record<string, string> = {};
  const inMemory = (path: string, size: string | undefined): void => {
    const read = sizeOf(size);
    if (size !== undefined && read === undefined)
      tell(`the folder ${path} in memory has ${TMPFS_SIZE}, for ${size} is no size that a template can have.`);
    tmpfs[path] = read ?? TMPFS_SIZE;
  };
  for (const value of [service.tmpfs ?? []].flat().map(String)) {
    const [, path = '', options = ''] = /^([^:]*):?(.*)$/s.exec(value) ?? [];
    inMemory(path, /(?:^|,)size=([^,]*)/.exec(options)?.[1]);
  }
  const data: string[] = [];
  for (const value of service.volumes ?? []) {
    const found = mount(value);
    const { type, source, target, size } = found ?? { type: 'none', source: undefined, target: '' };
    if (type === 'tmpfs') inMemory(target, size);
    else if (type === 'volume') data.push(target);
    else if (type !== 'bind' || source === undefined)
      tell(`A volume is left out, for it is none that is known here: ${JSON.stringify(value)}.`);
    else if (/docker\.sock|podman\.sock/.test(source))
      tell(`${source} is left out: whoever holds the engine's socket is root on the host.`);
    else if (kind(source) === 'file') files.push({ path: target, source });
    else
      tell(
        `the ${kind(source) === 'folder' ? 'folder' : 'path'} ${source} of the host is not mounted at ${target}: ` +
          'have it in the image, or name single `files`.',
      );
  }
  if (data.length > 0)
    tell(`What is kept in ${data.join(', ')} begins as the image has it in each instance, and goes with it.`);
  for (const [key, folder] of [
    ['configs', '/'],
    ['secrets', '/run/secrets/'],
  ] as const)
    for (const value of service[key] ?? []) {
      const { name, target } = reference(value, folder);
      const file = compose[key]?.[name]?.['file'];
      if (typeof file === 'string' && kind(file) === 'file') files.push({ path: target, source: file });
      else tell(`${key}: ${name} has no file that could be read; name it under \`files\`.`);
    }
  return { files, tmpfs };
}

function reference(value: ShortOrLong, folder: string): { readonly name: string; readonly target: string } {
  if (typeof value !== 'object') return { name: String(value), target: `${folder}${String(value)}` };
  const name = String(value['source']);
  const target = typeof value['target'] === 'string' ? value['target'] : name;
  return { name, target: target.startsWith('/') ? target : `${folder}${basename(target)}` };
}
