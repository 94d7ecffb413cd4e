import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { titleFor, whyWithout } from '../../../test/support/container-engine.ts';
import { launchDocker } from './launch.ts';

it.skipIf(whyWithout('docker') !== undefined)(
  `${titleFor('docker')}: leaves no shim of its own when it stops`,
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tin-docker-shim-'));
    const program = 'containerd-shim-runc-v2';
    const shim = (address: string) =>
      spawn('perl', ['-e', 'sleep 600', '--', '-address', address], { argv0: program, stdio: 'ignore' });
    const [own, others] = [shim(join(dir, 'exec/containerd/containerd.sock')), shim(`${dir}-other/containerd.sock`)];
    try {
      const docker = await launchDocker({ dir });
      await docker[Symbol.asyncDispose]();
      await eventually(() => expect(own.signalCode).toBe('SIGKILL'));
      expect(others.exitCode ?? others.signalCode).toBeNull();
    } finally {
      for (const each of [own, others]) each.kill('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    }
  },
);
