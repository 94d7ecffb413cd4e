import { cp, mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeToken, encodeToken } from '../../src/fleet/join-token.ts';
import type { Diagnosis } from '../../src/doctor/check.ts';
import { newHostLabel } from '../../src/domain/ids.ts';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import { loadFleetImage } from '../fleet/fleet-image.ts';
import { startHosts, type TestHost } from '../fleet/test-hosts.ts';
import { Units } from '../fleet/units.ts';
import { open, type Held } from '../fleet/visits.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHIPPED = ['deploy', 'dist', 'docs', 'scripts', 'src', 'CHANGELOG.md', 'LICENSE', 'Makefile', 'README.md'];
const MODULES_STAMP = 'node_modules/.package-lock.json';
const LONG_AGO = new Date('2001-01-01');
/** Of the machine that the tests run on, and for each host its own all the same. */
const OWN_FOLDERS = ['/etc', '/opt', '/usr/local', '/var/lib'];
const PROXY_PORT = 8000;
const PODMAN = '/run/try-it-now-podman/podman.sock';

/** A checkout in which everything is built, so that make has nothing to build or to fetch. */
async function checkout(cleanups: Cleanups): Promise<string> {
  const folder = await ownFolder(cleanups, 'tin-checkout-');
  for (const name of SHIPPED)
    await cp(join(ROOT, name), join(folder, name), { recursive: true, preserveTimestamps: true });
  for (const name of ['package.json', 'package-lock.json']) {
    await cp(join(ROOT, name), join(folder, name));
    await utimes(join(folder, name), LONG_AGO, LONG_AGO);
  }
  await mkdir(join(folder, 'node_modules'));
  for (const stamp of [MODULES_STAMP, 'dist/.built']) await writeFile(join(folder, stamp), '');
  return folder;
}

/** What a host installs, or writes into its settings, stays its own. */
async function ownFiles(host: TestHost): Promise<void> {
  for (const path of OWN_FOLDERS) {
    const [upper, work] = ['upper', 'work'].map((kind) => join(host.folder, 'own', kind, path));
    await mkdir(upper ?? '', { recursive: true });
    await mkdir(work ?? '', { recursive: true });
    await host.run(
      'mount',
      '-t',
      'overlay',
      'overlay',
      '-o',
      `lowerdir=${path},upperdir=${upper},workdir=${work}`,
      path,
    );
  }
  // Covered by that, and its own already.
  await host.run('mount', '--bind', join(host.folder, 'containers'), '/var/lib/containers');
  await host.run('mount', '--bind', join(host.folder, 'networks'), '/etc/containers/networks');
}

async function shell(host: TestHost, command: string): Promise<string> {
  return host.run('bash', '-c', `set -o pipefail; ${command}`);
}

/** What a command said when it failed, and its status. */
async function failure(host: TestHost, command: string): Promise<string> {
  return shell(host, `if said=$( { ${command}\n} 2>&1); then echo 'it did not fail'; else echo "$?: $said"; fi`);
}

/** `doctor` on the host finds no failure, once the server has repaired what its restart left. */
async function expectSound(host: TestHost): Promise<void> {
  await eventually(async () => {
    const said = JSON.parse(await shell(host, 'try-it-now doctor --json || :')) as { readonly checks: Diagnosis[] };
    expect(said.checks.length).toBeGreaterThan(10);
    expect(said.checks.filter(({ verdict }) => verdict === 'failure')).toEqual([]);
  });
}

/** Every file that installing or joining may write. */
async function installed(host: TestHost): Promise<readonly string[]> {
  const upper = join(host.folder, 'own/upper');
  const all = await Promise.all(
    ['etc/try-it-now', 'etc/systemd', 'opt', 'usr/local', 'var/lib/try-it-now'].map((folder) =>
      readdir(join(upper, folder), { recursive: true }).catch(() => []),
    ),
  );
  return all.flat().sort();
}

/** The two hosts of the documents' newcomer, and what is done on them by hand. */
class Newcomer {
  readonly first: TestHost;
  readonly second: TestHost;
  readonly onFirst: Units;
  readonly onSecond: Units;
  readonly #clone: string;

  constructor([first, second]: readonly [TestHost, TestHost], clone: string) {
    this.first = first;
    this.second = second;
    this.onFirst = new Units(first);
    this.onSecond = new Units(second);
    this.#clone = clone;
  }

  /** As deployment.md says, with one app, and Caddy with nothing but its admin API. */
  async installFirst(): Promise<void> {
    const { first } = this;
    await shell(first, `make -C ${this.#clone} install`);
    await shell(
      first,
      'mkdir -p /run/try-it-now-caddy; printf "{\n admin unix//run/try-it-now-caddy/admin.sock\n}\n" >/run/Caddyfile',
    );
    await first.start({
      name: 'Caddy',
      command: 'caddy',
      args: ['run', '--config', '/run/Caddyfile'],
      saysUp: 'serving initial',
    });
    await this.onFirst.start('try-it-now-valkey', 'try-it-now-nats', 'try-it-now-podman', 'try-it-now-discovery');
    const image = await this.#loadImages();
    const catalogue = {
      templates: [{ name: 'tiny', title: 'Tiny', description: 'A page.', image, port: 80, pull: 'never' }],
    };
    await writeFile(join(first.folder, 'templates.yaml'), stringify(catalogue));
    await shell(
      first,
      `cp ${first.folder}/templates.yaml /etc/try-it-now/; cat >>/etc/try-it-now/try-it-now.env <<'END'
TEMPLATES_FILE=/etc/try-it-now/templates.yaml
DEPLOYMENT=joined-${newHostLabel().slice(0, 8)}
CRIU_ENABLED=false
GATE_MODE=off
END`,
    );
    await this.onFirst.start('try-it-now');
  }

  async #loadImages(): Promise<string> {
    const { name } = await loadFleetImage(`/proc/${this.onFirst.pid('try-it-now-podman')}/root${PODMAN}`);
    const archive = join(this.first.folder, 'image.tar');
    await this.first.run('podman', ...hostFlags(), 'save', '-o', archive, name);
    await this.second.run('podman', ...hostFlags(), 'load', '-i', archive);
    return name;
  }

  /** What `fleet init` prints as next, without systemd. */
  async restartAsTold(told: string): Promise<void> {
    const [, names] = /systemctl restart (.*)$/m.exec(told) ?? [];
    if (names === undefined) throw new Error(`nothing was to be restarted: ${told}`);
    await this.onFirst.restart(...names.split(' '));
  }

  /** The one command, as it was printed on the first host, in a clone on the second one. */
  joinBy(printed: string, token: string): string {
    const [, command] = /^ {2}(make .*)$/m.exec(printed) ?? [];
    if (command === undefined) throw new Error(`no command was printed: ${printed}`);
    return `cd ${this.#clone} && ${command} <<'END'\n${token}\nEND\n`;
  }

  /** An instance for a visitor. Rejects while there is none. */
  async take(): Promise<Held & { readonly node: string }> {
    const taken = await shell(
      this.first,
      'curl -sS --fail-with-body -H "x-api-key: $(cat /etc/try-it-now/secrets/api-key)" ' +
        '--json \'{"template":"tiny"}\' http://127.0.0.1:8080/api/v1/demo/acquire',
    );
    const { id, url } = JSON.parse(taken) as { readonly id: string; readonly url: string };
    const shown = await this.first.run('try-it-now', 'instances', 'show', id, '--json');
    return { id, host: new URL(url).host, node: (JSON.parse(shown) as { readonly node: string }).node };
  }

  async nodes(): Promise<readonly Node[]> {
    const text = await this.first.run('try-it-now', 'nodes', 'list', '--json');
    return (JSON.parse(text) as { readonly nodes: readonly Node[] }).nodes;
  }

  tails(): string {
    return `${this.onFirst.tails()}\n${this.onSecond.tails()}`;
  }
}

interface Node {
  readonly name: string;
  readonly state: string;
  readonly alive: boolean;
}

describe('a further host', () => {
  const cleanups = new Cleanups('the two hosts');
  let hosts: Newcomer;
  let early: Held;
  let printed: string;
  let token: string;

  beforeAll(async () => {
    const clone = await checkout(cleanups);
    const network = await startHosts(['first', 'second']);
    cleanups.push(() => network[Symbol.asyncDispose]());
    const [first, second] = network.hosts;
    if (first === undefined || second === undefined) throw new Error('two hosts were asked for');
    await Promise.all([ownFiles(first), ownFiles(second)]);
    hosts = new Newcomer([first, second], clone);
    await hosts.installFirst();
    early = await eventually(() => hosts.take());
  });
  afterAll(() => cleanups[Symbol.asyncDispose]());

  it('is not let in before the first one is set up for it', async () => {
    expect(await failure(hosts.first, 'try-it-now fleet join-token')).toMatch(
      /^1: Valkey is at 127\.0\.0\.1, where no other host reaches it; run `try-it-now fleet init`/,
    );
  });

  it('is let in by `fleet init`, which leaves visitors where they are', async () => {
    const told = await hosts.first.run('try-it-now', 'fleet', 'init');
    await hosts.restartAsTold(told);
    const proxy = { address: hosts.first.address, port: PROXY_PORT };
    await eventually(async () => expect(await open(proxy, early), hosts.tails()).toBe(200));
    const valkey = 'valkey-cli --tls --cacert /etc/try-it-now/fleet/ca.crt -h ' + hosts.first.address;
    expect(await shell(hosts.first, `${valkey} ping`)).toContain('NOAUTH');
    expect(await shell(hosts.first, `${valkey} --user default --pass '' --no-auth-warning ping 2>&1`)).not.toContain(
      'PONG',
    );
    // What is drawn stays, whoever runs it again.
    const secrets = await shell(hosts.first, 'cat /etc/try-it-now/secrets/* | sha256sum');
    await hosts.first.run('try-it-now', 'fleet', 'init');
    expect(await shell(hosts.first, 'cat /etc/try-it-now/secrets/* | sha256sum')).toBe(secrets);
    expect(await shell(hosts.first, 'find /etc/try-it-now/secrets -type f -perm /077')).toBe('');
    await expectSound(hosts.first);
  });

  it('gets a token that says how, and holds what it needs', async () => {
    const folder = hosts.first.folder;
    await eventually(() => shell(hosts.first, `try-it-now fleet join-token >${folder}/token 2>${folder}/printed`));
    [token, printed] = await Promise.all([readFile(`${folder}/token`, 'utf8'), readFile(`${folder}/printed`, 'utf8')]);
    expect(printed).toContain('  make setup install ROLE=worker JOIN=-\n');
  });

  it('refuses a token that will not do, and installs nothing', async () => {
    const program = (await hosts.first.run('try-it-now', '--version')).trim();
    const content = decodeToken(token, { program, nowMs: Date.now() });
    const before = await installed(hosts.second);
    const { secrets, settings } = content;
    for (const [given, said] of [
      [token.split('\n').slice(0, -4).join('\n'), 'is cut off'],
      [encodeToken({ ...content, expiresAtMs: Date.now() - 1 }), 'was good until'],
      [encodeToken({ ...content, program: '99.0.0' }), `is of Try It Now 99.0.0, and this is ${program}`],
      [encodeToken({ ...content, secrets: { ...secrets, VALKEY_PASSWORD: 'guessed' } }), 'Valkey at'],
      [
        encodeToken({ ...content, settings: { ...settings, NATS_URL: `tls://${hosts.second.address}:4222` } }),
        'NATS at',
      ],
      [
        encodeToken({ ...content, settings: { ...settings, PROXY_INTERNAL_URL: `http://${hosts.first.address}:9` } }),
        'The proxy',
      ],
    ] as const) {
      const seen = await failure(hosts.second, hosts.joinBy(printed, given));
      expect(seen).toMatch(/^2: /);
      expect(seen).toContain(said);
      expect(seen).toMatch(/nothing was changed/i);
    }
    expect(await installed(hosts.second)).toEqual(before);
    expect(before).toEqual([]);
  });

  it('joins by the one command, and instances are made and opened there', async () => {
    const { second } = hosts;
    // Its systemd, as far as the installation asks for it.
    await shell(
      second,
      'mkdir -p /run/systemd/system; ' +
        `printf '#!/bin/sh\\necho "$*" >>${second.folder}/systemctl\\n' >/usr/local/bin/systemctl; ` +
        'chmod +x /usr/local/bin/systemctl',
    );
    const told = await shell(second, hosts.joinBy(printed, token));
    expect(told).toContain(`This host is node second, and its instances are at ${second.address}.`);
    expect(await readFile(join(second.folder, 'systemctl'), 'utf8')).toBe(
      'daemon-reload\nenable --now try-it-now-podman\nenable try-it-now-worker\nrestart try-it-now-worker\n',
    );
    await shell(second, 'rm -r /run/systemd');
    expect(await shell(second, 'ls /usr/local/lib/systemd/system')).toBe(
      'try-it-now-database-relay.service\ntry-it-now-podman.service\ntry-it-now-worker.service\n',
    );
    expect(await shell(second, 'find /etc/try-it-now/try-it-now.env /etc/try-it-now/secrets -type f -perm /077')).toBe(
      '',
    );
    await hosts.onSecond.start('try-it-now-podman', 'try-it-now-worker');
    await eventually(async () =>
      expect(await hosts.nodes(), hosts.tails()).toContainEqual(
        expect.objectContaining({ name: 'second', state: 'active', alive: true }),
      ),
    );
    const visit = await eventually(async () => {
      const taken = await hosts.take();
      expect(taken.node, hosts.tails()).toBe('second');
      return taken;
    });
    expect(await open({ address: hosts.first.address, port: PROXY_PORT }, visit)).toBe(200);
    for (const host of [hosts.first, second]) await expectSound(host);
  });

  it('joins again with the name it has, and not with that of another', async () => {
    const again = hosts.joinBy(printed, token);
    expect(await failure(hosts.second, again.replace('JOIN=-', 'JOIN=- NODE_NAME=node0'))).toContain(
      "node0 is another host's name",
    );
    expect(await shell(hosts.second, again)).toContain('This host is node second');
  });

  it('is shut out with every token before, once the logins of workers are drawn again', async () => {
    const { first, second, onSecond } = hosts;
    await shell(first, 'rm /etc/try-it-now/secrets/worker-*');
    await hosts.restartAsTold(await first.run('try-it-now', 'fleet', 'init'));
    expect(await failure(second, hosts.joinBy(printed, token))).toMatch(/nothing was changed: Valkey at .*WRONGPASS/);
    const fresh = await eventually(() => shell(first, 'try-it-now fleet join-token 2>/dev/null'));
    await shell(second, hosts.joinBy(printed, fresh));
    // Which it has not before Valkey and NATS let it in.
    await onSecond.restart('try-it-now-worker');
    await eventually(async () =>
      expect(await hosts.nodes()).toContainEqual(expect.objectContaining({ name: 'second', alive: true })),
    );
  });
});
