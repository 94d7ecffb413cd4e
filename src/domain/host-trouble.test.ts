import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { hostTrouble, isHostTrouble } from './host-trouble.ts';

const failed = (code: string): Error => Object.assign(new Error(`${code}: write`), { code });

it.each(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EROFS'])('tells %s, also as a cause', (code) => {
  expect(hostTrouble(failed(code))).toMatch(/disk|quota|open|memory/);
  expect(hostTrouble(new Error('it could not be stored', { cause: failed(code) }))).toBe(hostTrouble(failed(code)));
});

it('tells nothing of what is missing or wrong', async () => {
  const missing: unknown = await readFile('/nowhere/at/all').catch((error: unknown) => error);
  for (const error of [missing, failed('constructor'), new Error('half of it'), 'ENOSPC', undefined])
    expect(hostTrouble(error)).toBeUndefined();
});

it.each([
  ['write /var/lib/containers/storage/x: no space left on device', true],
  ["Error (criu/image.c:1): Can't write img: No space left on device", true],
  ['rootport listen tcp 127.0.0.1:21000: bind: address already in use', true],
  ["Error (criu/sk-inet.c:1059): inet: Can't bind inet socket (id 38): Address already in use", false],
  ['open /etc/x: too many open files in system', true],
  ["Error (criu/pie/restorer.c:1): Can't allocate memory: Cannot allocate memory", false],
  ["Error (criu/mount.c:1): mnt: Can't make /x: Read-only file system", false],
])('finds in what CRIU and Podman write %s: %s', (written, is) => {
  expect(isHostTrouble(written)).toBe(is);
});
