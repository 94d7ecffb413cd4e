import { expect, it } from 'vitest';
import { isTooOld, ociRuntimes } from './oci-runtimes.ts';

const podman = { name: 'podman', title: 'Podman' } as const;

it('says nothing where no template names one', async () => {
  expect(await ociRuntimes(podman, { runtimes: {} }, [{ name: 'a', runtime: undefined }])).toEqual([]);
});

it('names the templates that cannot be started, and what to do', async () => {
  const templates = [
    { name: 'a', runtime: 'runsc' },
    { name: 'b', runtime: 'runsc' },
  ] as const;
  const [unknown] = await ociRuntimes(podman, { runtimes: { runc: '/usr/sbin/runc' } }, templates);
  expect(unknown).toMatchObject({ what: 'runtime runsc' });
  expect(JSON.stringify(unknown)).toMatch(/a, b cannot be started: Podman knows of no.*--with-runsc/);
  const [missing] = await ociRuntimes(podman, { runtimes: { runsc: '/nowhere/runsc' } }, templates);
  expect(JSON.stringify(missing)).toMatch(/takes it for \/nowhere\/runsc, which does not run/);
});

it('knows which builds start nothing on which kernels', () => {
  expect(isTooOld('runsc version 0.0~20240729.0', '6.18.44')).toBe(true);
  expect(isTooOld('runsc version 0.0~20240729.0', '6.1.0-13-amd64')).toBe(false);
  expect(isTooOld('runsc version release-20241028.0', '6.18.44')).toBe(false);
});
