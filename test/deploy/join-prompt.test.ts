import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { encodeToken } from '../../src/fleet/join-token.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

it('asks for the join token on a terminal, takes it however long it is, and does not show it', async () => {
  await using cleanups = new Cleanups('the prompt');
  const folder = await ownFolder(cleanups, 'tin-prompt-');
  // Longer in one line than a terminal that collects lines keeps.
  const token = encodeToken({
    v: 1,
    program: execFileSync(process.execPath, [MAIN, '--version'], { encoding: 'utf8' }).trim(),
    expiresAtMs: 1,
    settings: {},
    secrets: {},
    files: { TEMPLATES_FILE: Array.from({ length: 4_000 }, (_, index) => index.toString(36)).join(' ') },
  });
  const [begin = '', ...lines] = token.trim().split('\n');
  const oneLine = `${begin}\n${lines.slice(0, -1).join('')}\n${lines.at(-1) ?? ''}\n`;
  const command = `"${process.execPath}" "${MAIN}" fleet join --settings-dir "${folder}"`;
  const terminal = spawn('script', ['-qfec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (shown === '') terminal.stdin.write(oneLine);
    shown += text;
  });
  const [code] = (await once(terminal, 'close')) as [number];
  expect(oneLine.length).toBeGreaterThan(8_000);
  expect(shown).toContain('Paste the join token (it does not show): ');
  expect(shown).toContain('The join token was good until 1970-01-01T00:00:00.001Z');
  for (const line of lines.slice(0, -1)) expect(shown).not.toContain(line);
  expect(code).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});
