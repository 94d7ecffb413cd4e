import Dockerode from 'dockerode';
import { afterAll, afterEach, expect, it } from 'vitest';
import { DEFAULT_PROCESS } from '../../src/domain/process-settings.ts';
import type { Template } from '../../src/domain/template.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { Inside } from '../support/container-inside.ts';
import { eventually } from '../support/eventually.ts';
import { template } from '../support/templates.ts';
import type { EngineUnderTest } from './container-engine.ts';
import { newSpec, untilReady } from './container-runtime.ts';

const never = new AbortController().signal;
const MIB = 2 ** 20;
const SHOWN = ['ro', 'rw', 'nosuid', 'nodev', 'noexec'];

/** What the engine itself needs below these differs, and no app can change it. */
const ENGINES_OWN = /^\/(proc|sys)(\/|$)|^\/run\/(podman-init|\.containerenv)$|^\/sbin\/docker-init$/;

/** Where things are mounted, and how; of files that the engine writes only that they are there. */
export async function mounts(inside: Inside): Promise<Record<string, string>> {
  const lines = (await inside.proc('mounts'))
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  return Object.fromEntries(
    lines
      .filter(([, at = '']) => !ENGINES_OWN.test(at))
      .map(([, at = '', kind = '', options = '']) => {
        if (at.startsWith('/etc/')) return [at, 'a file'];
        const flags = options.split(',').filter((each) => SHOWN.includes(each) || each.startsWith('size='));
        // Docker lets device files be executed. Nothing can make one there.
        return [at, [kind, ...flags.filter((flag) => at !== '/dev' || flag !== 'noexec')].join(' ')];
      }),
  );
}

/** The names that /etc/hosts tells, beside the container's own. */
async function hostNames(inside: Inside, own: string): Promise<string[]> {
  const names = (await inside.file('/etc/hosts'))
    .split('\n')
    .flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1));
  return names.filter((name) => name !== own && !/^(localhost|ip6-\w+)$/.test(name));
}

/** What an app finds around it: one list for every engine, so that what runs on one runs on the other. */
export function surroundingsContract(underTest: () => EngineUnderTest): void {
  afterEach(async () => {
    const engine = underTest().runtime();
    for (const { name } of await engine.list()) await engine.remove(name);
  });
  afterAll(async () => expect(await underTest().runtime().unprepare()).toBe(true));

  const started = async (
    overrides: Partial<Template> = {},
    values: ContainerSpec['values'] = {},
    serves = true,
  ): Promise<{ spec: ContainerSpec; inside: Inside; said: (script: string) => Promise<string> }> => {
    const { runtime, image, socketPath } = underTest();
    const engine = runtime();
    const spec = await newSpec(template({ image: image.name, port: image.port, ...overrides }), { values });
    await engine.prepare([spec.template]);
    await engine.start(spec, never);
    if (serves) await untilReady(spec);
    const said = async (script: string): Promise<string> => {
      const command = ['/bin/sh', '-c', script];
      const { exitCode, output } = await engine.exec(spec.name, { command, env: {}, timeoutMs: 20_000 }, never);
      expect([exitCode, output]).toEqual([0, output]);
      return output;
    };
    return { spec, inside: await Inside.of(new Dockerode({ host: '', socketPath }), spec.name), said };
  };

  it('are the same mounts, limits, names and rights without any wish', async () => {
    const { spec, inside, said } = await started();
    expect(await mounts(inside)).toEqual({
      '/': 'overlay rw',
      '/dev': 'tmpfs rw nosuid size=65536k',
      '/dev/mqueue': 'mqueue rw nosuid nodev noexec',
      '/dev/pts': 'devpts rw nosuid noexec',
      '/dev/shm': 'tmpfs rw nosuid nodev noexec size=65536k',
      '/etc/hostname': 'a file',
      '/etc/hosts': 'a file',
      '/etc/resolv.conf': 'a file',
      '/tmp': 'tmpfs rw nosuid nodev size=32768k',
    });
    // Podman gives the host's end of the network a name, wherever /etc/hosts begins.
    expect(await hostNames(inside, spec.name)).toEqual(
      underTest().engine === 'podman' ? ['host.containers.internal'] : [],
    );
    expect(await inside.lookUpFailure()).toBe('ECONNREFUSED');
    expect(await said('/bin/busybox cp /bin/busybox /tmp/true && /tmp/true true && echo runs')).toBe('runs\n');
    const limits = await inside.proc('limits');
    for (const row of ['processes', 'open files'])
      expect(limits).toMatch(new RegExp(`^Max ${row} +20000 +20000 `, 'm'));
    const status = await inside.proc('status');
    for (const row of ['CapPrm:\t0+', 'CapBnd:\t0+', 'NoNewPrivs:\t1', 'Seccomp:\t2', 'Uid:\t0\t0\t0\t0'])
      expect(status).toMatch(new RegExp(`^${row}$`, 'm'));
    expect(await inside.cgroup(['memory', 'memory.limit_in_bytes'], 'memory.max')).toBe(String(64 * MIB));
    expect(await inside.cgroup(['pids', 'pids.max'], 'pids.max')).toBe('32');
  });

  it('are what the template says', async () => {
    const { spec, inside, said } = await started(
      {
        env: { URL: '${TRY_IT_NOW_URL}', PLAIN: '${HOME} $${TRY_IT_NOW_URL}' },
        process: {
          ...DEFAULT_PROCESS,
          args: ['-v', '-r', '${TRY_IT_NOW_HOSTNAME}'],
          user: '1000:1001',
          workdir: '/www',
          files: [
            { path: '/etc/made/app.conf', encoding: 'utf8', content: 'url=${TRY_IT_NOW_URL}\n', mode: 0o640 },
            { path: '/www/logo', encoding: 'base64', content: '/9g=', mode: 0o644 },
          ],
          tmpfs: { '/run': MIB, '/var/cache/app': 2 * MIB },
          shmBytes: 3 * MIB,
          sysctls: { 'net.core.somaxconn': '321' },
        },
      },
      { TRY_IT_NOW_URL: 'http://a.example/', TRY_IT_NOW_HOSTNAME: 'a.example', TRY_IT_NOW_SEED: 'secret-seed' },
    );
    expect(await mounts(inside)).toMatchObject({
      '/dev/shm': 'tmpfs rw nosuid nodev noexec size=3072k',
      '/run': 'tmpfs rw nosuid nodev size=1024k',
      '/var/cache/app': 'tmpfs rw nosuid nodev size=2048k',
    });
    expect(await said('echo "$URL|$PLAIN"; /bin/busybox id -u; /bin/busybox id -g; pwd')).toBe(
      'http://a.example/|${HOME} ${TRY_IT_NOW_URL}\n1000\n1001\n/www\n',
    );
    expect(await said('/bin/busybox cat /etc/made/app.conf; /bin/busybox stat -c "%a %u %g" /etc/made/app.conf')).toBe(
      'url=http://a.example/\n640 1000 1001\n',
    );
    expect(await said('/bin/busybox od -An -tx1 /www/logo')).toBe(' ff d8\n');
    // The image's own command goes on with what the template adds.
    const own = (await inside.proc('cmdline')).split('\0');
    expect(own.slice(own.indexOf('/bin/busybox'), -1)).toEqual([
      '/bin/busybox',
      'httpd',
      '-f',
      '-p',
      '80',
      '-h',
      '/www',
      '-v',
      '-r',
      'a.example',
    ]);
    expect(await inside.run('cat', '/proc/sys/net/core/somaxconn')).toBe('321\n');
    expect(await inside.proc('environ')).not.toContain('secret-seed');
    expect(spec.env).toEqual({});
  });

  it('cannot be written to but in memory with read_only', async () => {
    const { inside, said } = await started({ process: { ...DEFAULT_PROCESS, readOnly: true } });
    const found = await mounts(inside);
    expect(found['/']).toBe('overlay ro');
    const writable = Object.keys(found).filter((at) => found[at]?.startsWith('tmpfs rw'));
    expect(writable.sort()).toEqual(['/dev', '/dev/shm', '/run', '/tmp', '/var/tmp']);
    // What the shell itself says of the refusal comes on the other stream, in no order with the rest.
    expect(await said('(echo x > /etc/x) 2> /dev/null || echo refused; echo y > /var/tmp/y && echo taken')).toBe(
      'refused\ntaken\n',
    );
  });

  it('end what an app leaves behind, unless it is to see to that itself', async () => {
    // Waits for nobody, as a program does that has no children of its own.
    const command = ['/bin/busybox', 'sleep', '600'];
    const left = async (init: boolean): Promise<Inside> => {
      const { inside, said } = await started({ process: { ...DEFAULT_PROCESS, command, init } }, {}, false);
      expect(await said('(/bin/busybox true &) ; (/bin/busybox true &) ; echo left')).toBe('left\n');
      return inside;
    };
    const [reaped, kept] = [await left(true), await left(false)];
    await eventually(async () => expect(await kept.zombies()).toBe(2));
    await eventually(async () => expect(await reaped.zombies()).toBe(0));
  });

  it('are refused where a placeholder has no value yet, and leave nothing behind', async () => {
    const { runtime, image } = underTest();
    const engine = runtime();
    const spec = await newSpec(
      template({ image: image.name, port: image.port, env: { PASSWORD: '${TRY_IT_NOW_DATABASE_PASSWORD}' } }),
    );
    await expect(engine.start(spec, never)).rejects.toMatchObject({
      code: 'container_failed',
      message: expect.stringContaining('no value is known for ${TRY_IT_NOW_DATABASE_PASSWORD}') as string,
    });
    expect(await engine.list()).toEqual([]);
  });
}
