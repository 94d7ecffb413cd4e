import { basename } from 'node:path';
import type { ComposeFile, ComposeService, ShortOrLong } from './compose-file.ts';
import { mount } from './compose-values.ts';
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
  for (const path of service.tmpfs === undefined ? [] : [service.tmpfs].flat().map(String))
    tmpfs[path.replace(/:.*$/, '')] = /size=(\d+[kmg])/.exec(path)?.[1] ?? TMPFS_SIZE;
  for (const value of service.volumes ?? []) {
    const found = mount(value);
    if (found === undefined) continue;
    const { type, source, target } = found;
    if (type === 'tmpfs') tmpfs[target] = TMPFS_SIZE;
    else if (type !== 'bind' || source === undefined) continue;
    else if (/docker\.sock|podman\.sock/.test(source))
      tell(`${source} is left out: whoever holds the engine's socket is root on the host.`);
    else if (kind(source) === 'file') files.push({ path: target, source });
    else
      tell(
        `the ${kind(source) === 'folder' ? 'folder' : 'path'} ${source} of the host is not mounted at ${target}: ` +
          'have it in the image, or name single `files`.',
      );
  }
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
