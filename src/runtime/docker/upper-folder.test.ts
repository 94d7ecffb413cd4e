import { expect, it } from 'vitest';
import { upperFolder, upperIn } from './upper-folder.ts';

const MOUNTED = [
  '1087 866 0:168 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/containerd/snapshots/2/fs,' +
    'upperdir=/var/lib/containerd/snapshots/3/fs,workdir=/var/lib/containerd/snapshots/3/work,nouserxattr',
  '1088 1087 0:171 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw',
  '1089 1087 0:172 / /tmp rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/not/of/the/root,workdir=/b',
  '',
].join('\n');

it('is that of the overlay which the root of a container is', () => {
  expect(upperIn(MOUNTED)).toBe('/var/lib/containerd/snapshots/3/fs');
  expect(upperIn(MOUNTED.replaceAll('/var/lib', '/srv/my\\040\\134disk'))).toBe(
    '/srv/my \\disk/containerd/snapshots/3/fs',
  );
});

it('is not known where the root is none, or nobody can say from where the path counts', () => {
  expect(upperIn('')).toBeUndefined();
  expect(upperIn('22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n')).toBeUndefined();
  expect(upperIn(MOUNTED.replace('upperdir=/var/lib/', 'upperdir='))).toBeUndefined();
});

const State = { Pid: 2 ** 30 } as Parameters<typeof upperFolder>[0]['State'];

it.each<[string, object, string | undefined]>([
  [
    'says it',
    { GraphDriver: { Name: 'overlay2', Data: { UpperDir: '/var/lib/docker/overlay2/a/diff' } } },
    '/var/lib/docker/overlay2/a/diff',
  ],
  ['has images in the store of containerd', { GraphDriver: { Name: 'overlayfs', Data: null } }, undefined],
  ['leaves it out, as Docker 29 does', { Storage: { RootFS: { Snapshot: { Name: 'overlayfs' } } } }, undefined],
])('copes with an engine that %s', async (_, told, folder) => {
  expect(await upperFolder({ State, ...told })).toBe(folder);
});
