import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findProgram } from '../../src/launcher/child-server.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { LimitedProcess, rightsOf } from '../support/limited-process.ts';

type App = ChildProcessByStdio<null, Readable, null> & { readonly pid: number };

const UNITS = fileURLToPath(new URL('../../deploy/systemd/', import.meta.url));
/** Of an app that is not root inside, as of `USER node`. */
const APP = 1000;
const KIB = 1024;
const ID = 'f'.repeat(64);

const why =
  process.getuid?.() !== 0 ? 'it needs root' : findProgram('setpriv') === undefined ? 'setpriv is missing' : '';
if (why !== '') process.stderr.write(`The tests of what units leave the server are skipped: ${why}\n`);

const isX64 = process.arch === 'x64';
if (!isX64) process.stderr.write('Skipped: random numbers of a Node; calls are made in processes of x86-64 alone\n');

describe.skipIf(why !== '' && process.env['CI'] !== 'true')(
  `root with the rights that the unit of the server leaves${why === '' ? '' : ` (skipped: ${why})`}`,
  () => {
    let cleanups: Cleanups;
    let folder: string;
    let limited: LimitedProcess;

    beforeAll(async () => {
      limited = new LimitedProcess(await rightsOf('try-it-now.service'));
    });
    afterAll(() => limited[Symbol.asyncDispose]());
    beforeEach(async () => {
      cleanups = new Cleanups('what an app left');
      folder = await ownFolder(cleanups, 'tin-rights-');
      // Everybody may come through, as through the layers of an engine.
      await chmod(folder, 0o755);
    });
    afterEach(() => cleanups[Symbol.asyncDispose]());

    /** A process of the app's user that has said that it is ready. */
    const app = async (program: string, args: readonly string[], uid = APP): Promise<App> => {
      const started = spawn(program, args, { uid, gid: uid, stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(started, 'exit');
      cleanups.push(async () => {
        started.kill('SIGKILL');
        await ended;
      });
      await once(started.stdout, 'data');
      return Object.assign(started, { pid: started.pid ?? -1 });
    };

    it('counts what lies in folders that their owner has closed', async () => {
      for (const [name, mode] of Object.entries({ private: 0o700, closed: 0o300, shut: 0 })) {
        await mkdir(join(folder, name));
        await writeFile(join(folder, name, 'data'), Buffer.alloc(64 * KIB, 1));
        await chown(join(folder, name), name === 'private' ? APP : 0, 0);
        await chmod(join(folder, name), mode);
      }
      const { files, bytes } = await limited.call('sizes', folder);
      expect(files).toBe(7);
      expect(bytes).toBeGreaterThanOrEqual(3 * 64 * KIB);
    });

    it('counts deleted files that an app holds open or mapped', async () => {
      await chmod(folder, 0o777);
      const hold =
        'my $at = shift; open my $file, "+>", "$at/file" or die; syswrite $file, "\\0" x 65536; unlink "$at/file";' +
        '$| = 1; print "ready\\n"; sleep 600';
      const { pid } = await app('perl', ['-e', hold, folder]);
      expect(await limited.call('deleted', pid, (await stat(folder)).dev)).toBe(64 * KIB);
    });

    it('ends the processes of an app, where the kernel does not do it for a whole group', async () => {
      const one = await app('perl', ['-e', '$| = 1; print "ready\\n"; sleep 600']);
      await writeFile(join(folder, 'cgroup.procs'), `${one.pid}\n`);
      const exited = once(one, 'exit').then(() => writeFile(join(folder, 'cgroup.procs'), ''));
      await Promise.all([limited.call('killAll', folder, folder), exited]);
      expect(one.signalCode).toBe('SIGKILL');
    });

    it('takes the files that an engine mounts from an app', async () => {
      await mkdir(join(folder, ID));
      const hosts = join(folder, ID, 'hosts');
      await writeFile(hosts, '');
      await limited.call('closeEngineFiles', [hosts]);
      expect((await stat(hosts)).uid).toBe(2 ** 32 - 2);
    });

    it('does not start containers by a Podman of its own, and says what that takes', async () => {
      await expect(limited.call('ownPodman', '/nowhere')).rejects.toThrow(/CAP_SETUID.*podman-of-the-server\.conf$/);
    });

    it('says which of other users comes first on a processor', async () => {
      const { pid } = await app('perl', ['-e', '$| = 1; print "ready\\n"; sleep 600']);
      await limited.call('setPriority', pid, 19);
      expect(getPriority(pid)).toBe(19);
      await limited.call('setPriority', pid, 0);
      expect(getPriority(pid)).toBe(0);
    });

    it.skipIf(!isX64)('has a Node of an app draw other random numbers', async () => {
      const draw = `
        process.on('SIGUSR2', () => console.log(Math.random === before ? 'as before' : 'afresh'));
        const before = Math.random;
        setInterval(() => undefined, 1 << 30);
        console.log('ready');`;
      // In a process namespace of its own, as a container is.
      const user = ['setpriv', `--reuid=${APP}`, '--clear-groups', process.execPath, '-e', draw];
      const container = await app('unshare', ['--pid', '--fork', ...user], 0);
      const pid = Number(await readFile(`/proc/${container.pid}/task/${container.pid}/children`, 'utf8'));
      cleanups.push(() => process.kill(pid, 'SIGKILL'));
      await limited.call('freshRandom', pid);
      const said = once(container.stdout, 'data');
      process.kill(pid, 'SIGUSR2');
      expect(String(await said)).toBe('afresh\n');
    });
  },
);

describe.each(['try-it-now', 'try-it-now-worker'])('%s.service', (unit) => {
  it('leaves what that takes', async () => {
    expect(await rightsOf(`${unit}.service`)).toEqual(await rightsOf('try-it-now.service'));
    const lines = (await readFile(join(UNITS, `${unit}.service`), 'utf8')).split('\n');
    const all = (name: string): string[] =>
      lines.flatMap((line) => (line.startsWith(`${name}=`) ? line.slice(name.length + 1).split(' ') : []));
    expect(all('SystemCallFilter')).toEqual(['@system-service', 'ptrace']);
    expect(all('ReadWritePaths')).toEqual(
      expect.arrayContaining([
        '/proc/sys/net',
        '-/run/containers',
        '-/run/libpod',
        '-/var/lib/containers',
        '-/etc/containers/networks',
        '-/var/lib/docker/containers',
        '-/sys/kernel/mm/ksm',
      ]),
    );
  });
});
