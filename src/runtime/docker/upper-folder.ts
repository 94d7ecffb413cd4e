import { readFile } from 'node:fs/promises';
import type Dockerode from 'dockerode';

/** Engines with images in containerd's store say nothing of it, or leave this out. */
type Told = { readonly GraphDriver?: { readonly Data?: Readonly<Record<string, string>> | null } | null };

/**
 * Where the files lie that a running container has written, on this host; undefined where that is not to be found out,
 * as on a file system that is no overlay.
 */
export async function upperFolder({
  State,
  ...found
}: Pick<Dockerode.ContainerInspectInfo, 'State'>): Promise<string | undefined> {
  const told = (found as Told).GraphDriver?.Data?.['UpperDir'];
  return told ?? upperIn(await readFile(`/proc/${State.Pid}/mountinfo`, 'utf8').catch(() => ''));
}

/** Of the text of /proc/PID/mountinfo: what its root is mounted last from. */
export function upperIn(mountinfo: string): string | undefined {
  const [root] = [...mountinfo.matchAll(/^\S+ \S+ \S+ \S+ \/ .*? - overlay \S+ (.*)$/gm)].reverse();
  const upper = /(?:^|,)upperdir=([^,]+)/.exec(root?.[1] ?? '')?.[1];
  const path = upper?.replaceAll(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
  // A path that is not whole counts from where an engine was when it mounted it.
  return path?.startsWith('/') === true ? path : undefined;
}
