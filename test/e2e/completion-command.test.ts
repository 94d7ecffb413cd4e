import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { Program } from '../support/program.ts';

const PATIENT = { timeoutMs: 60_000 };

let folder: string;
let shell: ChildProcess;
let seen = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-completion-'));
  await symlink(fileURLToPath(new URL('../../dist/main.js', import.meta.url)), join(folder, 'try-it-now'));
  // A terminal of its own: without one bash does not complete.
  shell = spawn('script', ['-qec', 'bash --norc --noprofile -i', '/dev/null'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: `${folder}:${process.env['PATH'] ?? ''}`, TERM: 'dumb', PS1: '> ' },
  });
  shell.stdout?.setEncoding('utf8').on('data', (text: string) => {
    seen += text;
  });
  type('source <(try-it-now completion bash) && echo "sou"rced\n');
  await eventually(() => expect(seen).toContain('sourced'), PATIENT);
});
afterAll(async () => {
  shell.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

function type(keys: string): void {
  shell.stdin?.write(keys);
}

/** What stands on the line after the key was pressed. */
async function completes(line: string, whole: string): Promise<void> {
  type(`${line}\t`);
  await eventually(() => expect(seen).toContain(whole), PATIENT);
  // Clears the line.
  type('\u0015');
}

it('completes commands, commands of commands, options and their values in a real bash', async () => {
  await completes('try-it-now doc', 'try-it-now doctor');
  await completes('try-it-now pool res', 'try-it-now pool resume');
  await completes('try-it-now clean-demos --dr', 'try-it-now clean-demos --dry-run');
  await completes('try-it-now instances list --state quar', 'try-it-now instances list --state quarantined');
  expect(seen).not.toMatch(/command not found|syntax error/);
});

it.each(['zsh', 'fish'])('prints a script for %s', async (name) => {
  await using program = new Program(['completion', name], {});
  expect([await program.exitCode, program.output]).toEqual([0, expect.stringContaining('try-it-now complete --')]);
});

it('refuses a shell it does not know', async () => {
  await using program = new Program(['completion', 'tcsh'], {});
  expect([await program.exitCode, program.output]).toEqual([1, expect.stringContaining('bash, zsh, fish')]);
});
