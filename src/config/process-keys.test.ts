import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parsed, problems, template, withLines } from '../../test/support/catalogue.ts';

describe('how a container is started', () => {
  it('is as the template says', () => {
    const { process, open } = template(
      'entrypoint: [/init, --]',
      'command: [serve]',
      'args: ["--port", 80, "${HOME}"]',
      'user: 1000:1000',
      'workdir: /srv/app/',
      'open: /admin?tab=1',
      'tmpfs: { /run: 16MiB, /var/cache/app/: 1GiB }',
      'read_only: true',
      'init: false',
      'stop_signal: SIGQUIT',
      'sysctls: { net.core.somaxconn: 4096, net.ipv4.ip_local_port_range: 1024 65000 }',
      'limits: { shm: 128MiB }',
    );
    expect(open).toBe('/admin?tab=1');
    expect(process).toEqual({
      entrypoint: ['/init', '--'],
      command: ['serve'],
      args: ['--port', '80', '${HOME}'],
      user: '1000:1000',
      workdir: '/srv/app',
      files: [],
      tmpfs: { '/run': 16 * 2 ** 20, '/var/cache/app': 2 ** 30 },
      shmBytes: 128 * 2 ** 20,
      readOnly: true,
      init: false,
      stopSignal: 'SIGQUIT',
      sysctls: { 'net.core.somaxconn': '4096', 'net.ipv4.ip_local_port_range': '1024 65000' },
    });
  });

  it.each([
    ['entrypoint: []', /entrypoint is an empty list/],
    ['user: root wheel', /user is "root wheel"; it must be a user of the image/],
    ['workdir: srv', /workdir is "srv"; it must be an absolute path/],
    ['workdir: /srv/../etc', /workdir is "\/srv\/\.\.\/etc"; it must be an absolute path/],
    ['open: admin', /open is "admin"; it must be a path that starts with \//],
    ['tmpfs: { run: 1MiB }', /tmpfs has "run"; each key must be an absolute path/],
    ['tmpfs: { /dev/shm: 1MiB }', /tmpfs has \/dev\/shm, which is not the app's to choose; its size is limits\.shm/],
    ['tmpfs: { /run: 1 }', /tmpfs\.\/run is "1" \(the unit is missing\)/],
    ['stop_signal: SIGSTOP', /stop_signal is "SIGSTOP"; it must be one of SIGTERM/],
    ['sysctls: { kernel.shmmax: 1 }', /sysctls\.kernel\.shmmax is not known; use one of net\.core/],
    [
      'sysctls: { net.core.somaxcon: 1 }',
      /sysctls\.net\.core\.somaxcon is not known; did you mean net\.core\.somaxconn\?/,
    ],
    ['sysctls: { net.core.somaxconn: lots }', /sysctls\.net\.core\.somaxconn is "lots"/],
  ])('is refused for %s', (line, message) => {
    const found = problems(withLines(line));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^apps\.yaml:5: /);
    expect(found[0]).toMatch(message);
  });
});

describe('variables', () => {
  it('may have the names that Elasticsearch, Spring and .NET give them, in services too', () => {
    const { env, services } = template(
      'env: { discovery.type: single-node, xpack.security.enabled: false, spring.main.banner-mode: off }',
      'services: [{ name: search, image: search, env: { discovery.type: single-node } }]',
    );
    expect(env).toEqual({
      'discovery.type': 'single-node',
      'xpack.security.enabled': 'false',
      'spring.main.banner-mode': 'off',
    });
    expect(services[0]?.env).toEqual({ 'discovery.type': 'single-node' });
  });
});

describe('placeholders', () => {
  it.each([
    ['env: { A: "${TRY_IT_NOW_URI}" }', /env\.A has \$\{TRY_IT_NOW_URI\}, .*did you mean \$\{TRY_IT_NOW_URL\}\?/],
    [
      'env: { A: "${TRY_IT_NOW_THE_WEATHER}" }',
      /env\.A has \$\{TRY_IT_NOW_THE_WEATHER\}, which stands for nothing .*; use one of TRY_IT_NOW_INST/,
    ],
    ['env: { A: "${TRY_IT_NOW_DATABASE_NAME}" }', /env\.A has .*but the template has no database/],
    ['args: ["--key=${TRY_IT_NOW_SEED}"]', /args has .*read the arguments of a process; hand it over in env/],
    ['command: ["${TRY_IT_NOW_NAME}"]', /command has \$\{TRY_IT_NOW_NAME\}, which stands for nothing/],
    ['files: [{ path: /a, content: "${TRY_IT_NOW_HOST}" }]', /files\[0\]\.content has .*did you mean/],
  ])('are refused in %s', (line, message) => {
    const found = problems(withLines(line));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });

  it('of the database need one, and all others are the app’s own', () => {
    expect(
      problems(
        withLines(
          'env: { A: "${TRY_IT_NOW_DATABASE_PASSWORD}", B: "${HOME} $${TRY_IT_NOW_NOTHING} $TRY_IT_NOW_URL" }',
          'args: ["${TRY_IT_NOW_URL}"]',
          'database: { seed: missing.sql }',
        ),
      ),
    ).toEqual([expect.stringContaining('missing.sql')]);
  });
});

describe('files', () => {
  it('have their content from the file or from beside it, text or not', () => {
    const folder = mkdtempSync(join(tmpdir(), 'try-it-now-files-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'logo'), Buffer.from([0xff, 0xd8]));
    writeFileSync(join(folder, 'app.conf'), 'url=${TRY_IT_NOW_URL}\n');
    const { templates, problems: found } = parsed(
      withLines(
        'files:',
        '  - { path: /etc/motd, content: "Hello\\n", mode: 600 }',
        '  - { path: /srv/logo, source: logo }',
        '  - { path: /srv/app.conf, source: app.conf, mode: 0755 }',
      ),
      join(folder, 'apps.yaml'),
    );
    expect(found).toEqual([]);
    expect(templates[0]?.process.files).toEqual([
      { path: '/etc/motd', encoding: 'utf8', content: 'Hello\n', mode: 0o600 },
      { path: '/srv/logo', encoding: 'base64', content: '/9g=', mode: 0o644 },
      { path: '/srv/app.conf', encoding: 'utf8', content: 'url=${TRY_IT_NOW_URL}\n', mode: 0o755 },
    ]);
  });

  it.each([
    ['{ path: /a }', /files\[0\] has neither content nor source; it must have one/],
    ['{ path: /a, content: x, source: /etc/hostname }', /files\[0\] has both content and source/],
    ['{ content: x }', /files\[0\]\.path is missing/],
    ['{ path: a, content: x }', /files\[0\]\.path is "a"; it must be the absolute path/],
    ['{ path: /a/../b, content: x }', /files\[0\]\.path is "\/a\/\.\.\/b"/],
    ['{ path: /a, content: x, mode: 0999 }', /files\[0\]\.mode is "0999"; it must be permission bits/],
    ['{ path: /tmp/a, content: x }', /files\[0\]\.path is in \/tmp, which is made again/],
    ['{ path: /a, source: no-such-file }', /files\[0\]\.source .*there is no file/],
    ['{ path: /a, content: x }, { path: /a, content: y }', /files has \/a twice/],
  ])('are refused for %s', (entries, message) => {
    const found = problems(withLines(`files: [${entries}]`));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });

  it('are refused below a folder in memory, and with read_only', () => {
    expect(
      problems(withLines('tmpfs: { /run: 1MiB }', 'read_only: true', 'files: [{ path: /run/a, content: x }]')),
    ).toEqual([expect.stringMatching(/is in \/run/), expect.stringMatching(/read_only/)]);
  });
});

describe('merge keys', () => {
  it('take in a group or a list of them; own keys win, then the earlier one', () => {
    const { templates, problems: found } = parsed(
      [
        'x-base: &base { image: app, port: 80, env: { A: 1 } }',
        'x-more: &more { port: 81, open: /more, title: More }',
        'templates:',
        '  - { <<: *base, name: one, env: { B: 2 }, x-note: [mine] }',
        '  - { <<: [*base, *more], name: two, title: Two }',
      ].join('\n'),
    );
    expect(found).toEqual([]);
    expect(templates).toMatchObject([
      { name: 'one', image: 'app', port: 80, env: { B: '2' } },
      { name: 'two', image: 'app', port: 80, env: { A: '1' }, open: '/more', title: 'Two' },
    ]);
  });

  it('may take in what takes in something itself, and end where that leads back', () => {
    const { templates, problems: found } = parsed(
      [
        'x-a: &a { image: app }',
        'x-b: &b { <<: *a, port: 80 }',
        'templates: [&c { <<: *b, name: one, env: { X: y } }, { <<: *c, name: two }]',
      ].join('\n'),
    );
    expect(found).toEqual([]);
    expect(templates.map(({ name, image, port }) => [name, image, port])).toEqual([
      ['one', 'app', 80],
      ['two', 'app', 80],
    ]);
  });

  it('are refused where they name no group', () => {
    expect(problems(withLines('<<: text'))).toEqual([
      'apps.yaml:5: templates[0].<< must be a group of settings or a list of such groups, as in <<: *shared',
    ]);
  });
});
