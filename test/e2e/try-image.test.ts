import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTrialContext, type TrialContext } from '../../src/composition/trial-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Template } from '../../src/domain/template.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { readComposeFile } from '../../src/importers/compose-file.ts';
import { fromCompose } from '../../src/importers/from-compose.ts';
import { templateFile, type TemplateDraft } from '../../src/importers/template-yaml.ts';
import { Trials } from '../../src/importers/trials.ts';
import { tryImage } from '../../src/importers/try-image.ts';
import { launchEngine, titleFor, uniqueDeployment, whyWithout } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { imageRegistry } from '../support/image-registry.ts';
import { Program } from '../support/program.ts';
import { silent } from '../support/store.ts';
import { Terminal } from '../support/terminal.ts';
import { loadTinyImage } from '../support/tiny-image.ts';

const never = new AbortController().signal;
/** Each trial takes a second. */
const SLOW = ['/bin/sh', '-c', 'sleep 1; httpd -f -p 80 -h /www'];
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

describe.skipIf(whyWithout('podman') !== undefined)(`an image that is tried on ${titleFor('podman')}`, () => {
  const cleanups = new Cleanups('the trial of images');
  let context: TrialContext;
  let socketPath: string;
  let env: Readonly<Record<string, string>>;
  /** An image that does not come up is not waited for as long as people would. */
  let timeoutMs = 5_000;
  beforeAll(async () => {
    const podman = await launchEngine('podman');
    cleanups.push(() => podman[Symbol.asyncDispose]());
    ({ socketPath } = podman);
    env = { CONTAINER_MODE: 'podman', PODMAN_SOCKET: socketPath, DEPLOYMENT: uniqueDeployment() };
    context = await openTrialContext(loadConfig(env).config, silent);
    cleanups.push(() => context.close());
  });
  afterAll(() => cleanups[Symbol.asyncDispose]());

  function parse(draft: TemplateDraft): Template {
    const text = templateFile(draft, []);
    const [template] = loadConfig({ ...env, TEMPLATES_FILE: 'tried.yaml' }, () => text).config.templates;
    if (template === undefined) throw new Error('one template was written');
    return { ...template, readiness: { ...template.readiness, timeoutMs } };
  }

  async function tried(command?: readonly string[], patienceMs = 5_000) {
    timeoutMs = patienceMs;
    await using image = await loadTinyImage(socketPath, command);
    const failures: string[] = [];
    const trials = new Trials({ deps: context, parse, signal: never });
    const result = await tryImage(
      { ...context, parse, trials, signal: never },
      image.name,
      {},
      {
        onStep: () => undefined,
        onFailure: ({ reason }, next) => failures.push(`${reason} -> ${next ?? 'nothing'}`),
      },
    );
    const { trial } = result;
    const status =
      trial.kind === 'ready' ? (await fetch(trial.url.replace(/\/\/[^:/]+/, '//127.0.0.1'))).status : undefined;
    await trials.removeAll();
    return { ...result, failures, status };
  }

  it('is found on the port it listens on, and left open with a limit near what it takes', async () => {
    const { draft, failures, status } = await tried(['/bin/busybox', 'httpd', '-f', '-p', '8000', '-h', '/www']);
    expect(failures).toEqual([expect.stringMatching(/it listens on 8000, the template says port 80 -> port: 8000/)]);
    expect(draft).toMatchObject({ port: 8000, limits: { memory: '128MiB' } });
    expect(status).toBe(200);
    expect(await context.runtime.list()).toEqual([]);
  });

  it('is fetched where it is not here and its name says from where', async () => {
    await using registry = await imageRegistry();
    const remote = `${registry.address}/tiny:1`;
    await using image = await loadTinyImage(socketPath);
    const push = ['push', '--quiet', '--authfile', registry.credentialsFile, image.name, `docker://${remote}`];
    await promisify(execFile)('podman', push);
    cleanups.push(() => promisify(execFile)('podman', ['rmi', '--force', remote]));
    const settings = { ...env, REGISTRY_AUTH_FILE: registry.credentialsFile };
    await using program = new Program(['templates', 'from-image', remote], settings);
    expect([await program.exitCode, program.output]).toEqual([0, expect.stringContaining(`image: ${remote}`)]);
    expect(program.output).toContain(`fetching ${remote}`);
  });

  it('is told to listen for others, too, well before its time is up', async () => {
    const { draft, failures, status } = await tried(
      ['/bin/sh', '-c', 'httpd -f -p ${HOST:-127.0.0.1}:80 -h /www'],
      30 * 60_000,
    );
    expect(failures).toEqual([expect.stringMatching(/it listens on 127.0.0.1:80 inside.* -> env: HOST=0.0.0.0/)]);
    expect(draft).toMatchObject({ env: { HOST: '0.0.0.0' } });
    expect(status).toBe(200);
  });

  it('may change to its own user where it goes on as root without', async () => {
    const server = 'httpd -f -p 80 -h /www';
    const { draft, notes, failures } = await tried(['/bin/sh', '-c', `${server} -u 33:33 2>/dev/null || ${server}`]);
    expect(failures).toEqual([]);
    expect(draft).toMatchObject({ capabilities: expect.arrayContaining(['SETGID', 'SETUID']) as string[] });
    expect(notes).toContainEqual({ key: 'capabilities', text: expect.stringMatching(/cannot change/) as string });
    expect(await context.runtime.list()).toEqual([]);
  });

  it('comes up as its Compose file has it, with servers beside it that change their user', async () => {
    await using image = await loadTinyImage(socketPath);
    const docker = new Dockerode({ host: '', socketPath });
    const [name, tag] = [uniqueDeployment(), 'tiny'];
    await docker.getImage(image.name).tag({ repo: `docker.io/library/${name}`, tag });
    cleanups.push(() => docker.getImage(`docker.io/library/${name}:${tag}`).remove({ force: true }));
    const server = (port: number) => ({
      image: `${name}:${tag}`,
      command: ['/bin/sh', '-c', `chown 33:33 /www && exec httpd -f -u 33:33 -p ${port} -h /www`],
      ports: [port],
    });
    const text = JSON.stringify({ services: { web: { ...server(80), depends_on: ['db'] }, db: server(5432) } });
    const { draft } = fromCompose({
      compose: readComposeFile(text, 'compose.yaml', {}).compose,
      service: 'web',
      variables: {},
      readFile: { kind: () => 'missing', environment: () => undefined },
      judge: () => [],
    });
    const trials = new Trials({ deps: context, parse, signal: never });
    await context.runtime.prepare([parse(draft)]);
    const trial = await trials.run(draft);
    await trials.removeAll();
    expect(trial).toMatchObject({ kind: 'ready' });
  });

  it('leaves what a killed trial forgot to the next one, and what another is at alone', async () => {
    await using image = await loadTinyImage(socketPath);
    const template = parse({ name: 'forgotten', image: image.name, port: 80 });
    await context.runtime.prepare([template]);
    for (const [name, keepUntilMs] of [
      ['demo-trial-forgotten', Date.now() - 1],
      ['demo-trial-underway', Date.now() + 600_000],
    ] as const)
      await context.runtime.start(
        { name, instanceId: undefined, template, hostPort: await freePort(), env: {}, keepUntilMs },
        never,
      );
    await (await openTrialContext(loadConfig(env).config, silent)).close();
    expect((await context.runtime.list()).map(({ name }) => name)).toEqual(['demo-trial-underway']);
    await context.runtime.remove('demo-trial-underway');
  });

  it('that only says why it ends is left to a person, with what it said', async () => {
    const { trial, draft, failures } = await tried(['/bin/sh', '-c', 'echo FATAL: no licence key >&2; exit 3']);
    expect(draft).not.toHaveProperty('capabilities');
    expect(trial).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/exit code 3.*FATAL: no licence key/) as string,
      output: expect.stringContaining('FATAL: no licence key') as string,
    });
    expect(failures.at(-1)).toMatch(/-> nothing$/);
    expect(await context.runtime.list()).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is not left running by %s while one runs that is compared with it',
    async (signal) => {
      await using image = await loadTinyImage(socketPath, SLOW);
      await using program = new Program(['templates', 'from-image', image.name], env);
      await eventually(() => expect(program.output).toContain('seeing what'));
      program.signal(signal);
      expect([await program.exitCode, program.output]).toEqual([
        1,
        expect.stringContaining('what was started is removed'),
      ]);
      expect(await context.runtime.list()).toEqual([]);
    },
  );

  it.each([
    ['Ctrl-C', CTRL_C],
    ['Ctrl-D', CTRL_D],
  ])('is removed before its template is offered, to which %s is a no', async (_, key) => {
    await using image = await loadTinyImage(socketPath);
    await using terminal = new Terminal(`try ${image.name}`, { env });
    await eventually(() => expect(terminal.seen).toContain('Ctrl-C ends it'));
    terminal.type(CTRL_C);
    await eventually(() => expect(terminal.seen).toContain('Save it to'));
    expect(await context.runtime.list()).toEqual([]);
    terminal.type(key);
    expect(await terminal.exitCode()).toBe(0);
    expect(terminal.seen).not.toContain('Written to');
  });

  it('ends with its terminal', async () => {
    await using image = await loadTinyImage(socketPath);
    await using terminal = new Terminal(`try ${image.name}`, { env });
    await eventually(() => expect(terminal.seen).toContain('Ctrl-C ends it'));
    const { pid } = terminal;
    await terminal.hangUp();
    await eventually(() => expect(existsSync(`/proc/${pid}`)).toBe(false));
    expect(await context.runtime.list()).toEqual([]);
  });
});
