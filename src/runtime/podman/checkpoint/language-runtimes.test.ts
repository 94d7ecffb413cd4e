import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { whyNotFresh } from './fresh-random/fresh-random.ts';
import { generatorsOf, runtimesIn } from './language-runtimes.ts';

it.each<[string | undefined, string[], string[]]>([
  ['Python', ['python3.11', 'libc.so.6'], ['python3', '/app.py']],
  ['Python', ['uwsgi', 'libpython3.11.so.1.0'], ['uwsgi']],
  ['Ruby', ['ruby3.1'], ['puma 5.6']],
  ['Java', ['java', 'libjvm.so'], ['java', '-jar', 'app.jar']],
  ['Java', ['launcher', 'libjvm.so'], ['launcher']],
  ['.NET', ['shop', 'libcoreclr.so'], ['/shop']],
  ['Perl', ['perl'], ['/usr/bin/perl', '-T', 'app.pl']],
  ['PHP', ['php8.2'], ['php', '/app/loop.php']],
  ['PHP', ['php-fpm8.2'], ['php-fpm: pool www']],
  ['PHP', ['apache2', 'libphp8.2.so'], ['apache2', '-DFOREGROUND']],
  ['Erlang', ['beam.smp'], ['beam.smp']],
  ['Lua', ['nginx', 'libluajit-5.1.so.2.1.0'], ['nginx']],
  [undefined, ['php8.2'], ['php', '-q', '-S', '0.0.0.0:8080', '/app/router.php']],
  [undefined, ['nginx', 'libcrypto.so.3'], ['nginx']],
  [undefined, ['rubyist', 'libpythonic.so'], ['rubyist']],
  [undefined, [], []],
])('sees %s in %j', (language, files, words) => {
  const found = runtimesIn(
    files.map((name) => ({ name })),
    words,
  );
  expect(found.map((runtime) => runtime.language)).toEqual(language === undefined ? [] : [language]);
});

it('sees Perl in a process that runs it', async () => {
  const perl = spawn('perl', ['-e', '$| = 1; print "up\n"; <STDIN>'], { stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    await once(perl.stdout, 'data');
    expect(await generatorsOf({ pid: perl.pid ?? 0, name: 'app' })).toEqual([
      { language: 'Perl', generators: 'rand', process: 'app' },
    ]);
  } finally {
    perl.stdin.end();
    await once(perl, 'close');
  }
});

it('sees nothing in a process that there is not', async () => {
  expect(await generatorsOf({ pid: 2 ** 30, name: 'gone' })).toEqual([]);
});

const isX64 = process.arch === 'x64';
if (!isX64) process.stderr.write('Skipped: fresh generators here; calls are made in processes of x86-64 alone\n');
it.skipIf(!isX64)('takes this host for one that can make them fresh', async () => {
  expect(await whyNotFresh()).toBeUndefined();
  expect(await generatorsOf({ pid: process.pid, name: 'node' })).toEqual([]);
});
